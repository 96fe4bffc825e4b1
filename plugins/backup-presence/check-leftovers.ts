import { judgeLeftover } from './judge.ts'
import { formatOf, found, type Work } from './work.ts'

const MAX_LEFTOVERS = 500

/** What lies readable in the directories of backups. */
export function checkLeftovers(work: Work): void {
  const { ctx, findings, blind } = work
  const { directories, names, olderThan } = ctx.config.plaintext
  const rules = ['plaintext-left']
  const judged = new Set(
    findings.filter(({ rule }) => rule === 'backup-not-encrypted').map(({ subject }) => subject),
  )
  let count = 0
  for (const directory of directories) {
    if (!ctx.host.statTarget(directory)) continue
    const files = names.flatMap((name) => found(work, `${directory}/**/${name}`, rules) ?? [])
    for (const file of new Map(files.map((one) => [one.path, one])).values()) {
      if (++count > MAX_LEFTOVERS) {
        blind.push({
          subject: directory,
          reason: `only the first ${MAX_LEFTOVERS} files are looked into`,
          rules,
        })
        return
      }
      work.examined++
      // A list of names is no content, and what is judged as a backup is not judged again.
      if (
        judged.has(file.path) ||
        ctx.config.backups.some(({ listSuffix }) => file.path.endsWith(listSuffix))
      )
        continue
      const format = formatOf(work, file, rules)
      if (format) findings.push(...judgeLeftover(file, format, olderThan, ctx.now.getTime()))
    }
  }
}
