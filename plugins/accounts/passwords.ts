import { type Finding, formatDuration, shellWord } from '../../agent/contract/mod.ts'
import { type Area, type Look, notHere } from './area.ts'
import { linesOf, textOf } from './files.ts'
import { type Account, isLoginShell, type PasswordState, passwordState } from './tables.ts'

const DAY_MS = 86_400_000
const AGEING = ['password-never-expires']
const POLICY = ['password-policy-weak']

/** What stands in place of a password. */
export const passwords: Area = {
  subject: '/etc/shadow',
  rules: ['empty-password', 'password-in-passwd', 'weak-password-hash'],
  check(look) {
    const { accounts } = look
    const shadow = look.shadow()
    const findings = accounts.flatMap((account) => {
      const entry = shadow.get(account.name)
      const isShadowed = account.passwordField === 'x'
      const state = passwordState(isShadowed ? (entry?.password ?? '*') : account.passwordField)
      const place = isShadowed
        ? { path: '/etc/shadow', line: entry?.line ?? 0 }
        : { path: '/etc/passwd', line: account.line }
      return judgePassword(account, state, place)
    })
    return { findings: [...findings, ...judgeMethod(look)], examined: accounts.length }
  },
}

/** Pure: what is wrong with what stands in place of an account's password. */
export function judgePassword(
  { name, shell }: Account,
  state: PasswordState,
  { path, line }: { path: string; line: number },
): Finding[] {
  const evidence = { path, line }
  if (state.kind === 'none') {
    const severity = isLoginShell(shell) ? 'critical' : 'warning'
    return [
      {
        rule: 'empty-password',
        subject: name,
        severity,
        summary: `${name} has no password, and none is asked for (${path}:${line})`,
        remedy: `passwd -l ${shellWord(name)}`,
        evidence,
        references: ['CIS-7.2', 'CWE-258'],
      },
    ]
  }
  if (state.kind === 'locked') return []
  const findings: Finding[] = []
  if (path === '/etc/passwd') {
    findings.push({
      rule: 'password-in-passwd',
      subject: name,
      severity: 'critical',
      summary: `The password hash of ${name} stands in /etc/passwd, which every user can read (line ${line})`,
      remedy: `pwconv\nThen a new password, since this one may have been read: passwd ${shellWord(name)}`,
      evidence,
      references: ['CIS-7.2', 'CWE-522'],
    })
  }
  if (state.isWeak) {
    findings.push({
      rule: 'weak-password-hash',
      subject: name,
      severity: 'warning',
      summary: `The password of ${name} is hashed by ${state.scheme}, which is quickly guessed (${path}:${line})`,
      remedy: `Set ENCRYPT_METHOD YESCRYPT (or SHA512) in /etc/login.defs, then a new password: passwd ${shellWord(name)}`,
      evidence: { ...evidence, scheme: state.scheme },
      references: ['CIS-5.4', 'CWE-916'],
    })
  }
  return findings
}

/** How new passwords are hashed. */
function judgeMethod({ host }: Look): Finding[] {
  const path = '/etc/login.defs'
  const setting = linesOf(path, textOf(host, path) ?? '').findLast(({ text }) =>
    /^ENCRYPT_METHOD\s/.test(text),
  )
  const method = setting?.text.split(/\s+/)[1]?.toUpperCase()
  if (!setting || !method || !['DES', 'MD5'].includes(method)) return []
  return [
    {
      rule: 'weak-password-hash',
      subject: 'ENCRYPT_METHOD',
      severity: 'warning',
      summary: `New passwords are hashed by ${method} (${path}:${setting.line})`,
      remedy: `sed -i '${setting.line}s/.*/ENCRYPT_METHOD YESCRYPT/' ${path}`,
      evidence: { path, line: setting.line },
      references: ['CIS-5.4', 'CWE-916'],
    },
  ]
}

/** When passwords must be changed. */
export const passwordAges: Area = {
  subject: 'password ages',
  rules: AGEING,
  check(look) {
    const { config, accounts } = look
    if (config.passwordMaxAge === undefined)
      return notHere(AGEING, 'passwords need not be changed by the clock')
    const wanted = Math.floor(config.passwordMaxAge / DAY_MS)
    const shadow = look.shadow()
    const people = accounts.filter(
      ({ name }) => passwordState(shadow.get(name)?.password ?? '*').kind === 'set',
    )
    const findings = people.flatMap(({ name }): Finding[] => {
      const entry = shadow.get(name)
      if (!entry || (entry.maxDays !== undefined && entry.maxDays <= wanted)) return []
      return [
        ageFinding(
          name,
          `The password of ${name} need ${entry.maxDays === undefined ? 'never' : `only after ${entry.maxDays} days`} be changed`,
          `chage -M ${wanted} ${shellWord(name)}`,
          wanted,
          '/etc/shadow',
          entry.line,
        ),
      ]
    })
    const path = '/etc/login.defs'
    const setting = linesOf(path, textOf(look.host, path) ?? '').findLast(({ text }) =>
      /^PASS_MAX_DAYS\s/.test(text),
    )
    const days = Number(setting?.text.split(/\s+/)[1] ?? 99_999)
    if (!(days <= wanted)) {
      const remedy = setting
        ? `sed -i '${setting.line}s/.*/PASS_MAX_DAYS ${wanted}/' ${path}`
        : `echo 'PASS_MAX_DAYS ${wanted}' >> ${path}`
      findings.push(
        ageFinding(
          'PASS_MAX_DAYS',
          `Passwords of new users need only after ${days} days be changed`,
          remedy,
          wanted,
          path,
          setting?.line ?? 0,
        ),
      )
    }
    return { findings, examined: people.length + 1 }
  },
}

function ageFinding(
  subject: string,
  what: string,
  remedy: string,
  wanted: number,
  path: string,
  line: number,
): Finding {
  return {
    rule: 'password-never-expires',
    subject,
    severity: 'warning',
    summary: `${what}, wanted at least every ${formatDuration(wanted * DAY_MS)}`,
    remedy,
    evidence: { path, line },
    references: ['CIS-5.4'],
  }
}

const QUALITY = '/etc/security/pwquality.conf'
const PAM = [
  '/etc/pam.d/common-password',
  '/etc/pam.d/system-auth',
  '/etc/pam.d/password-auth',
  '/etc/pam.d/passwd',
]

/** How long a new password must be. */
export const passwordPolicy: Area = {
  subject: 'password policy',
  rules: POLICY,
  check({ host, config }) {
    const wanted = config.passwordLength
    if (wanted === undefined) return notHere(POLICY, 'no length is asked of passwords')
    const pam = PAM.flatMap((path) => linesOf(path, textOf(host, path) ?? ''))
    const modules = pam.filter(({ text }) => /^password\s+.*\bpam_(pwquality|passwdqc)\.so\b/.test(text))
    const drops = host.stat(`${QUALITY}.d`)
      ? host.list(`${QUALITY}.d`).filter((name) => name.endsWith('.conf'))
      : []
    const files = [QUALITY, ...drops.map((name) => `${QUALITY}.d/${name}`)]
    const setting = files
      .flatMap((path) => linesOf(path, textOf(host, path) ?? ''))
      .findLast(({ text }) => /^minlen\s*=/.test(text))
    // What stands in the line of PAM goes before what stands in the file.
    const inline = modules.findLast(({ text }) => /\bminlen=\d+/.test(text))
    const place = inline ?? setting
    const value = /minlen\s*=\s*(\d+)/.exec(place?.text ?? '')?.[1]
    const length = value === undefined ? undefined : Number(value)
    const report = (summary: string, remedy: string): Finding => ({
      rule: 'password-policy-weak',
      subject: 'minlen',
      severity: 'warning',
      summary,
      remedy,
      evidence: { path: place?.path ?? null, line: place?.line ?? null, minlen: length ?? null },
      references: ['CIS-5.3', 'OWASP-A07:2021'],
    })
    if (modules.length === 0) {
      return {
        findings: [
          report(
            'Nobody asks for long passwords: no line of PAM has pam_pwquality',
            `apt-get install libpam-pwquality && echo 'minlen = ${wanted}' >> ${QUALITY}`,
          ),
        ],
        examined: 1,
      }
    }
    // The default of libpwquality is 8.
    if ((length ?? 8) >= wanted) return { findings: [], examined: 1 }
    const where = place ? ` (${place.path}:${place.line})` : ', by default'
    const remedy = inline
      ? `Take minlen out of line ${inline.line} of ${inline.path}, and: echo 'minlen = ${wanted}' >> ${files.at(-1)}`
      : `echo 'minlen = ${wanted}' >> ${files.at(-1)}`
    return {
      findings: [
        report(`A new password may have ${length ?? 8} characters${where}, wanted ${wanted}`, remedy),
      ],
      examined: 1,
    }
  },
}
