import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import type { Account, Group } from './tables.ts'

/** Members of groups against the lists of the configuration. */
export const groupMembers: Area = {
  subject: '/etc/group',
  rules: ['group-member-unknown'],
  check({ config, groups, accounts }) {
    const lists = Object.entries(config.groups)
    if (lists.length === 0) return notHere(this.rules, 'no group has a list of its members')
    const there = lists.flatMap(([name, allowed]) => {
      const group = groups.find((one) => one.name === name)
      return group ? [{ group, allowed }] : []
    })
    if (there.length === 0)
      return notHere(this.rules, `there is no group ${lists.map(([name]) => name).join(', ')}`)
    return {
      findings: there.flatMap(({ group, allowed }) => judgeMembers(group, accounts, allowed)),
      facts: there.map(({ group }) => ({
        kind: 'group',
        subject: group.name,
        data: { members: membersOf(group, accounts).join(' ').slice(0, 4000) },
      })),
      examined: there.length,
    }
  },
}

/** Those that /etc/group names, and those whose primary group it is. */
function membersOf({ gid, members }: Group, accounts: readonly Account[]): string[] {
  return [
    ...new Set([...members, ...accounts.filter((account) => account.gid === gid).map(({ name }) => name)]),
  ]
}

/** Pure. */
export function judgeMembers(
  group: Group,
  accounts: readonly Account[],
  allowed: readonly string[],
): Finding[] {
  return membersOf(group, accounts)
    .filter((name) => !allowed.includes(name) && name !== group.name)
    .map((name) => ({
      rule: 'group-member-unknown',
      subject: `${group.name} ${name}`,
      severity: 'warning',
      summary: `${name} is in the group ${group.name}, wanted ${allowed.length > 0 ? `only ${allowed.join(', ')}` : 'nobody'}`,
      remedy: group.members.includes(name)
        ? `gpasswd -d ${shellWord(name)} ${shellWord(group.name)}\nWhoever is logged in keeps the group until then: loginctl terminate-user ${shellWord(name)}`
        : `It is the primary group of ${name}: usermod -g GROUP ${shellWord(name)}`,
      evidence: { path: '/etc/group', line: group.line },
      references: ['NIST-CSF-PR.AC-4', 'CIS-5.2'],
    }))
}
