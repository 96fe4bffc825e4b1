import { type Finding, shellWord } from '../../../agent/contract/mod.ts'

/** As many ids as a container has: user-namespaces of less cannot hold an ordinary image. */
const WANTED_IDS = 65_536

export interface SubordinateRange {
  user: string
  start: number
  count: number
  line: number
}

/** The text of /etc/subuid or /etc/subgid; lines that are no range are left out, as the programs do. Pure. */
export function parseSubordinates(text: string): SubordinateRange[] {
  return text.split('\n').flatMap((row, index) => {
    const match = /^([^:#\s]+):(\d+):(\d+)\s*$/.exec(row)
    if (!match?.[1]) return []
    return [{ user: match[1], start: Number(match[2]), count: Number(match[3]), line: index + 1 }]
  })
}

/** Pure: whether a user has enough ids of his own, and nobody else the same ones. */
export function judgeSubordinates(
  path: string,
  ranges: SubordinateRange[],
  user: { name: string; uid: number | undefined },
): Finding[] {
  const isTheirs = (range: SubordinateRange) => range.user === user.name || range.user === String(user.uid)
  const own = ranges.filter(isTheirs)
  const total = own.reduce((sum, { count }) => sum + count, 0)
  const option = path.endsWith('subgid') ? '--add-subgids' : '--add-subuids'
  const findings: Finding[] = []
  if (total < WANTED_IDS) {
    const free = Math.max(100_000, ...ranges.map(({ start, count }) => start + count))
    findings.push({
      rule: 'subordinate-ids',
      subject: `${path}:${user.name}`,
      severity: 'warning',
      summary: `${user.name} has ${total} ids in ${path} for containers, wanted are ${WANTED_IDS}`,
      remedy: `usermod ${option} ${free}-${free + WANTED_IDS - 1} ${shellWord(user.name)}`,
      evidence: { path, line: own[0]?.line ?? null, ids: total },
    })
  }
  for (const range of own) {
    const other = ranges.find(
      (one) => !isTheirs(one) && one.start < range.start + range.count && range.start < one.start + one.count,
    )
    if (!other) continue
    findings.push({
      rule: 'subordinate-ids',
      subject: `${path}:${user.name}:shared`,
      severity: 'warning',
      summary: `${user.name} and ${other.user} have the same ids in ${path}: containers of one can reach files of the other's`,
      remedy: `Give ${other.user} other ids in ${path}, line ${other.line}, and change the owners of its files`,
      evidence: { path, line: range.line, other: other.line },
    })
    break
  }
  return findings
}

/** Whether an id is of the user, or one that the containers of the user have. Pure. */
export function isOwnId(id: number, uid: number, ranges: SubordinateRange[], name: string): boolean {
  return (
    id === uid ||
    ranges.some(
      ({ user, start, count }) =>
        (user === name || user === String(uid)) && id >= start && id < start + count,
    )
  )
}
