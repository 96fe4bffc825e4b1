import { type Finding, type HostReader, shellWord } from '../../agent/contract/mod.ts'
import { type Area, groupsOf, notHere } from './area.ts'
import { textOf } from './files.ts'
import { parseSudoers, type Sudoers, type SudoRule } from './sudoers.ts'
import { type Account, passwordState } from './tables.ts'

const SUDOERS = '/etc/sudoers'
const RULES = ['sudo-without-password', 'sudo-for-containers']
/** They start containers, and with them whatever they like as root. */
const ENGINES = /(^|\/)(docker|docker-compose|dockerd|podman|nerdctl|ctr|lxc|incus)$/
const REFERENCES = ['CIS-5.2', 'NIST-CSF-PR.AC-4']

/** Who may become root, by sudo. */
export const sudo: Area = {
  subject: SUDOERS,
  rules: RULES,
  check(look) {
    const text = textOf(look.host, SUDOERS)
    if (text === undefined) return notHere(RULES, 'sudo is not installed')
    const sudoers = parseSudoers(SUDOERS, text, (path, isDirectory) => included(look.host, path, isDirectory))
    const hasPassword = (name: string) =>
      passwordState(look.shadow().get(name)?.password ?? '*').kind === 'set'
    const users = look.config.rootlessUsers.flatMap(
      (name) => look.accounts.find((one) => one.name === name) ?? [],
    )
    return {
      findings: [
        ...judgeFree(sudoers, look.config.sudoWithoutPassword, hasPassword),
        ...users.flatMap((user) => judgeEngines(user, groupsOf(user, look.groups), sudoers.rules)),
      ],
      blind: sudoers.malformed.slice(0, 20).map(({ path, line }) => ({
        subject: `${path}:${line}`,
        reason: 'this line is not understood: visudo -c tells whether sudo does',
        rules: RULES,
      })),
      inapplicable:
        users.length > 0
          ? []
          : [
              {
                rule: 'sudo-for-containers',
                reason: 'no user who runs containers without root is named, or there is none',
              },
            ],
      examined: sudoers.rules.length,
    }
  },
}

function included(host: HostReader, path: string, isDirectory: boolean): { path: string; text: string }[] {
  const place = path.startsWith('/') ? path : `/etc/${path}`
  const paths = isDirectory
    ? (host.stat(place) ? host.list(place) : [])
        // As sudo does: no editor's copies, and nothing with a dot.
        .filter((name) => !name.includes('.') && !name.endsWith('~'))
        .map((name) => `${place}/${name}`)
        .filter((file) => host.statTarget(file)?.type === 'file')
    : [place]
  return paths.flatMap((file) => {
    const text = textOf(host, file)
    return text === undefined ? [] : [{ path: file, text }]
  })
}

/** Pure: anything, without a password. Where the account has none to ask for, it is only told. */
export function judgeFree(
  { rules, free }: Sudoers,
  allowed: readonly string[],
  hasPassword: (user: string) => boolean,
): Finding[] {
  const found = rules
    .filter(({ isFree, command }) => isFree && command === 'ALL')
    .flatMap(({ users, path, line }) => users.map((user) => ({ user, path, line })))
    .filter(({ user }) => !user.startsWith('!') && user !== 'root')
  const everybody = free.map(({ users, path, line }) => ({ user: users || 'ALL', path, line }))
  return [...found, ...everybody]
    .filter(({ user }) => !allowed.includes(user))
    .map(({ user, path, line }) => {
      const isPerson = user.startsWith('%') || user === 'ALL' || hasPassword(user)
      return {
        rule: 'sudo-without-password',
        subject: `${path} ${user}`,
        severity: isPerson ? 'warning' : 'info',
        summary: `${user} may do anything by sudo, and is not asked for a password (${path}:${line})`,
        remedy: `Take NOPASSWD out of line ${line}: visudo -f ${shellWord(path)}; where it must be so, add ${user} to \`sudoWithoutPassword\` of this job`,
        evidence: { path, line },
        references: REFERENCES,
      }
    })
}

/** Pure: a user who runs containers without root, and whom sudo lets do it as root. */
export function judgeEngines(
  user: Account,
  groups: readonly string[],
  rules: readonly SudoRule[],
): Finding[] {
  const names = new Set([user.name, `#${user.uid}`, 'ALL', ...groups.map((group) => `%${group}`)])
  return rules
    .filter(
      ({ users, command }) =>
        users.some((one) => names.has(one)) &&
        !users.some((one) => one.startsWith('!') && names.has(one.slice(1))) &&
        (command === 'ALL' || ENGINES.test(command.split(/\s/)[0] ?? '')),
    )
    .map(({ path, line, command, users }) => ({
      rule: 'sudo-for-containers',
      subject: `${path} ${user.name}`,
      severity: 'warning',
      summary: `${user.name} runs containers without root, but may run ${command === 'ALL' ? 'anything' : command} by sudo${users.includes(user.name) ? '' : ` as one of ${users.join(', ')}`} (${path}:${line})`,
      remedy: `Take it out of line ${line}: visudo -f ${shellWord(path)}${users.includes(user.name) ? '' : `; or ${user.name} out of the group: gpasswd -d ${user.name} GROUP`}`,
      evidence: { path, line, command: command.slice(0, 200) },
      references: REFERENCES,
    }))
}
