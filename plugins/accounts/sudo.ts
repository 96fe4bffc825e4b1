import { type Finding, type HostReader, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { textOf } from './files.ts'
import { parseSudoers, type Sudoers } from './sudoers.ts'
import { passwordState } from './tables.ts'

const SUDOERS = '/etc/sudoers'
const RULES = ['sudo-without-password']
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
    return {
      findings: judgeFree(sudoers, look.config.sudoWithoutPassword, hasPassword),
      blind: sudoers.malformed.slice(0, 20).map(({ path, line }) => ({
        subject: `${path}:${line}`,
        reason: 'this line is not understood: visudo -c tells whether sudo does',
        rules: RULES,
      })),
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
