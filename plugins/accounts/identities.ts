import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import type { Area } from './area.ts'
import type { Account, Group } from './tables.ts'

const REFERENCES = ['CIS-7.2', 'NIST-CSF-PR.AC-1']

/** Names and numbers that stand for more than one. */
export const identities: Area = {
  subject: '/etc/passwd',
  rules: ['second-root', 'duplicate-account'],
  check({ accounts, groups }) {
    const findings = judgeIdentities(accounts, groups)
    return { findings, examined: accounts.length + groups.length }
  },
}

/** Pure. */
export function judgeIdentities(accounts: readonly Account[], groups: readonly Group[]): Finding[] {
  const roots = accounts.filter(({ uid, name }) => uid === 0 && name !== 'root')
  const findings: Finding[] = roots.map(({ name, line }) => ({
    rule: 'second-root',
    subject: name,
    severity: 'critical',
    summary: `${name} has the uid 0: it is root under another name (/etc/passwd:${line})`,
    remedy: `Find out who made it, and remove it, or give it a uid of its own (vipw, line ${line}): userdel -f ${shellWord(name)}`,
    evidence: { path: '/etc/passwd', line },
    references: REFERENCES,
  }))
  const others = accounts.filter(({ uid }) => uid !== 0)
  return [
    ...findings,
    ...doubles('/etc/passwd', 'users', 'uid', others, ({ uid }) => String(uid)),
    ...doubles('/etc/passwd', 'entries', 'name', accounts, ({ name }) => name),
    ...doubles('/etc/group', 'groups', 'gid', groups, ({ gid }) => String(gid)),
    ...doubles('/etc/group', 'entries', 'name', groups, ({ name }) => name),
  ]
}

function doubles<T extends { name: string; line: number }>(
  path: string,
  what: string,
  key: string,
  entries: readonly T[],
  keyOf: (entry: T) => string,
): Finding[] {
  return [...Map.groupBy(entries, keyOf)]
    .filter(([, same]) => same.length > 1)
    .map(([value, same]) => {
      const [, second] = same
      const lines = same.map(({ line }) => line).join(', ')
      return {
        rule: 'duplicate-account',
        subject: `${path} ${key} ${value}`,
        severity: 'warning',
        summary: `${same.length} ${what} have the ${key} ${value}: ${same.map(({ name }) => name).join(', ')} (${path}, lines ${lines})`,
        remedy:
          key === 'name'
            ? `Remove all but one of the lines ${lines} of ${path} (${path.endsWith('passwd') ? 'vipw' : 'vigr'})`
            : `Give all but one of them a ${key} of its own (${key === 'uid' ? 'usermod -u' : 'groupmod -g'}), and its files with it: find / -xdev -${key} ${value}`,
        evidence: { path, line: second?.line ?? null },
        references: REFERENCES,
      }
    })
}
