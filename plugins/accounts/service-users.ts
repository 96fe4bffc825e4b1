import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { type Area, groupsOf, type Look } from './area.ts'
import { type Account, isLoginShell, type PasswordState, passwordState } from './tables.ts'

const RULES = ['service-user-missing', 'service-user-loose', 'service-user-privileged']
const NOBODY = 65_534
const REFERENCES = ['CIS-7.2', 'NIST-CSF-PR.AC-4', 'CWE-250']

/** What is wanted of the users of services, of all by their uid, and more of those that are named. */
export const serviceUsers: Area = {
  subject: 'service users',
  rules: RULES,
  check(look) {
    const { accounts, config, systemUidMax } = look
    const shadow = look.shadow()
    const named = new Set(config.serviceUsers)
    const findings = accounts.flatMap((account) => {
      const isSystem = account.uid !== 0 && (account.uid <= systemUidMax || account.uid === NOBODY)
      if (!isSystem && !named.has(account.name)) return []
      const field =
        account.passwordField === 'x' ? (shadow.get(account.name)?.password ?? '*') : account.passwordField
      return judgeServiceUser(account, {
        isNamed: named.has(account.name),
        systemUidMax,
        password: passwordState(field),
        privileged: privilegedGroups(look, account),
        homeMode: named.has(account.name) ? homeMode(look, account) : undefined,
      })
    })
    const known = new Set(accounts.map(({ name }) => name))
    const missing = config.serviceUsers.filter((name) => !known.has(name))
    return {
      findings: [...missing.map(missingUser), ...findings],
      ...(named.size === 0 && {
        inapplicable: [{ rule: 'service-user-missing', reason: 'no service user is named' }],
      }),
      examined: accounts.length,
    }
  },
}

function privilegedGroups({ config, groups }: Look, account: Account): string[] {
  return groupsOf(account, groups).filter(
    (group) =>
      config.privilegedGroups.includes(group) &&
      group !== account.name &&
      !config.groups[group]?.includes(account.name),
  )
}

function homeMode({ host }: Look, { home }: Account): number | undefined {
  const stat = home.startsWith('/') && home !== '/nonexistent' ? host.statTarget(home) : undefined
  return stat?.type === 'directory' ? stat.mode : undefined
}

function missingUser(name: string): Finding {
  return {
    rule: 'service-user-missing',
    subject: name,
    severity: 'warning',
    summary: `There is no user ${name}: its service has no user of its own`,
    remedy: `useradd --system --shell /usr/sbin/nologin --home-dir /var/lib/${name} ${shellWord(name)}`,
    references: REFERENCES,
  }
}

export interface ServiceUserState {
  /** The configuration names it: it must be as a service user is made. */
  isNamed: boolean
  systemUidMax: number
  password: PasswordState
  privileged: string[]
  homeMode: number | undefined
}

/** Pure: what is wrong with the user of a service. */
export function judgeServiceUser(account: Account, state: ServiceUserState): Finding[] {
  const { name, uid, shell, home, line } = account
  const { isNamed, systemUidMax, password, privileged, homeMode: mode } = state
  const findings: Finding[] = []
  const loose = (
    subject: string,
    summary: string,
    remedy: string,
    severity: Finding['severity'] = 'warning',
  ) =>
    findings.push({
      rule: 'service-user-loose',
      subject,
      severity,
      summary,
      remedy,
      evidence: { path: '/etc/passwd', line },
      references: REFERENCES,
    })
  if (password.kind === 'set') {
    loose(
      `${name} password`,
      `Service user ${name} has a password: somebody can log in as it`,
      `passwd -l ${shellWord(name)}`,
    )
  }
  if (isNamed && isLoginShell(shell)) {
    const remedy = `usermod --shell /usr/sbin/nologin ${shellWord(name)}`
    loose(`${name} shell`, `Service user ${name} has the shell ${shell || '/bin/sh'}`, remedy)
  }
  if (isNamed && uid > systemUidMax && uid !== NOBODY) {
    const remedy = `Make it anew as a system user: useradd --system; or usermod -u to a free uid up to ${systemUidMax}, and chown its files`
    loose(
      `${name} uid`,
      `Service user ${name} has the uid ${uid} of a person, wanted at most ${systemUidMax}`,
      remedy,
    )
  }
  if (isNamed && uid === 0) {
    loose(
      `${name} uid`,
      `Service user ${name} is root (uid 0)`,
      `Give it a uid of its own: usermod -u`,
      'critical',
    )
  }
  if (mode !== undefined && (mode & 0o002) !== 0) {
    loose(
      `${name} home`,
      `Everybody can write to ${home}, the home of ${name}`,
      `chmod o-w ${shellWord(home)}`,
      'critical',
    )
  } else if (mode !== undefined && (mode & 0o020) !== 0) {
    loose(
      `${name} home`,
      `Its group can write to ${home}, the home of ${name}`,
      `chmod g-w ${shellWord(home)}`,
    )
  }
  for (const group of privileged) {
    findings.push({
      rule: 'service-user-privileged',
      subject: `${name} ${group}`,
      severity: 'critical',
      summary: `Service user ${name} is in the group ${group}, whose members can become root`,
      remedy: `gpasswd -d ${shellWord(name)} ${shellWord(group)}\nRestart its service then; where it must be so, add it to \`groups\` of this job`,
      evidence: { path: '/etc/group', group },
      references: REFERENCES,
    })
  }
  return findings
}
