import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { linesOf, textOf } from './files.ts'
import type { Account } from './tables.ts'

const FILES = ['/etc/subuid', '/etc/subgid'] as const
const MAPPERS = ['newuidmap', 'newgidmap'] as const
/** A whole range of 16 bits, as images of containers expect. */
const WANTED = 65_536

export interface Range {
  user: string
  start: number
  count: number
  line: number
}

/** What users need who run containers without root. */
export const subordinateIds: Area = {
  subject: 'subordinate ids',
  rules: ['subordinate-ids-missing', 'subordinate-ids-shared'],
  check({ host, config, accounts }) {
    const users = config.rootlessUsers.flatMap(
      (name) => accounts.find((account) => account.name === name) ?? [],
    )
    if (users.length === 0) {
      const names = config.rootlessUsers.join(', ')
      return notHere(
        this.rules,
        names === '' ? 'nobody is to run containers without root' : `there is no user ${names}`,
      )
    }
    const findings = FILES.flatMap((path) => {
      const ranges = parseRanges(path, textOf(host, path) ?? '')
      return [...users.flatMap((user) => judgeRanges(path, user, ranges)), ...judgeOverlaps(path, ranges)]
    })
    const missing = MAPPERS.filter((name) => !host.statTarget(`/usr/bin/${name}`))
    if (missing.length > 0) {
      findings.push({
        rule: 'subordinate-ids-missing',
        subject: 'uidmap',
        severity: 'warning',
        summary: `${missing.join(' and ')} is not installed: nobody can use subordinate ids`,
        remedy: 'apt-get install uidmap',
        references: ['NIST-CSF-PR.AC-4'],
      })
    }
    return { findings, examined: users.length }
  },
}

/** Pure: subuid(5). A line that is none is left out: newuidmap does so, too. */
export function parseRanges(path: string, text: string): Range[] {
  return linesOf(path, text).flatMap(({ text: content, line }) => {
    const [, user, start, count] = /^([^:]+):(\d+):(\d+)$/.exec(content) ?? []
    return user === undefined ? [] : [{ user, start: Number(start), count: Number(count), line }]
  })
}

/** Pure. */
export function judgeRanges(path: string, { name, uid }: Account, ranges: readonly Range[]): Finding[] {
  const own = ranges.filter(({ user }) => user === name || user === String(uid))
  const count = own.reduce((sum, range) => sum + range.count, 0)
  if (count >= WANTED) return []
  const option = path.endsWith('uid') ? '--add-subuids' : '--add-subgids'
  const free = ranges.reduce((end, range) => Math.max(end, range.start + range.count), 100_000)
  return [
    {
      rule: 'subordinate-ids-missing',
      subject: `${path} ${name}`,
      severity: 'warning',
      summary: `${name} has ${count} subordinate ids in ${path}, wanted ${WANTED} for containers without root`,
      remedy: `usermod ${option} ${free}-${free + WANTED - 1} ${shellWord(name)}`,
      evidence: { path, line: own[0]?.line ?? null, count },
      references: ['NIST-CSF-PR.AC-4'],
    },
  ]
}

/** Pure: two users with the same ids can touch each other's containers. */
export function judgeOverlaps(path: string, ranges: readonly Range[]): Finding[] {
  const ordered = ranges.toSorted((a, b) => a.start - b.start)
  return ordered.flatMap((range, index): Finding[] => {
    const before = ordered.slice(0, index).findLast((one) => one.start + one.count > range.start)
    if (!before || before.user === range.user) return []
    return [
      {
        rule: 'subordinate-ids-shared',
        subject: `${path} ${range.user}`,
        severity: 'warning',
        summary: `${range.user} and ${before.user} share subordinate ids from ${range.start} on (${path}, lines ${before.line} and ${range.line})`,
        remedy: `Give ${range.user} a range of its own in ${path}, line ${range.line}, and its containers new storage`,
        evidence: { path, line: range.line },
        references: ['NIST-CSF-PR.AC-4'],
      },
    ]
  })
}
