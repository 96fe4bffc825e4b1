import { type Finding, shellWord } from '../../../agent/contract/mod.ts'
import type { EngineSocket } from '../engine/look.ts'

/** Pure: who may open the socket of an engine. Whoever may can be whom the engine runs as. */
export function judgeSocket(
  { path, entry, user }: EngineSocket,
  names: { owner: string; group: string },
  socketGroup: string,
): Finding[] {
  const becomes = user === undefined ? 'root' : user
  const finding = (severity: Finding['severity'], summary: string, remedy: string): Finding => ({
    rule: 'socket-open',
    subject: path,
    severity,
    summary,
    remedy,
    evidence: { path, mode: `0${entry.mode.toString(8)}`, owner: names.owner, group: names.group },
  })
  const word = shellWord(path)
  const findings: Finding[] = []
  if (entry.type !== 'socket') return findings
  if ((entry.mode & 0o007) !== 0) {
    findings.push(
      finding('critical', `Everyone on this host can become ${becomes} over ${path}`, `chmod 0660 ${word}`),
    )
  } else if (user === undefined && names.owner !== 'root') {
    findings.push(
      finding('critical', `${path} is ${names.owner}'s, who can become root over it`, `chown root ${word}`),
    )
  } else if (
    user === undefined &&
    (entry.mode & 0o070) !== 0 &&
    !['root', socketGroup].includes(names.group)
  ) {
    findings.push(
      finding(
        'critical',
        `The group ${names.group} can become root over ${path}`,
        `chown root:${socketGroup} ${word}`,
      ),
    )
  }
  return findings
}

/** Users in a group: those that group names, and those whose own group it is in passwd. Pure. */
export function parseMembers(group: string, passwd: string, name: string): string[] | undefined {
  const [, , id, list = ''] =
    group
      .split('\n')
      .map((line) => line.split(':'))
      .find(([first]) => first === name) ?? []
  if (id === undefined) return undefined
  const primary = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .flatMap(([user, , , gid]) => (user && gid === id ? [user] : []))
  return [...new Set([...list.trim().split(',').filter(Boolean), ...primary])].toSorted()
}

/** Pure: who is in the group of the socket and is not meant to be. */
export function judgeMembers(members: string[], group: string, allowed: string[]): Finding[] {
  return members
    .filter((user) => user !== 'root' && !allowed.includes(user))
    .map((user) => ({
      rule: 'engine-group-member',
      subject: user,
      severity: 'warning',
      summary: `${user} is in the group ${group}, and can become root with it`,
      remedy: `gpasswd --delete ${shellWord(user)} ${shellWord(group)}\nIf it is meant to be so, add ${user} to \`members\``,
      evidence: { path: '/etc/group', group },
    }))
}
