import type { Finding, Scalar, Severity } from '../../../agent/contract/mod.ts'
import type { Config, Declaration } from '../config.ts'
import type { Credential } from '../credential.ts'
import { type RuleId, rules } from '../rules.ts'
import { quote } from '../text.ts'
import { DAY_MS, reminderReached, type Timing } from '../timing.ts'
import { day, iso, nameOf, replaceRemedy, roughly } from '../words.ts'

/** Everything that is wrong with one credential. Pure. */
export function judgeCredential(
  credential: Credential,
  timing: Timing,
  config: Pick<Config, 'remindBefore'>,
  nowMs: number,
): Finding[] {
  const name = nameOf(credential)
  const report = (rule: RuleId, summary: string, more: Partial<Finding> = {}): Finding => ({
    rule,
    subject: credential.subject,
    severity: rules[rule].severity,
    summary: `${name} ${summary}`,
    remedy: replaceRemedy(credential),
    references: rules[rule].references,
    ...more,
    evidence: { ...evidenceOf(credential.declaration, credential.line), ...more.evidence },
  })
  if (credential.fingerprint === undefined) return [report('credential-empty', 'is empty')]
  if (credential.superseded) return []
  if (credential.revoked) return [report('credential-revoked', 'is revoked, but still in place')]
  const findings: Finding[] = []
  if (credential.placeholder) {
    findings.push(report('credential-placeholder', 'is a sample value that everybody knows'))
  }
  const weaknesses = weaknessesOf(credential)
  if (weaknesses.length > 0) {
    const evidence = { algorithm: credential.algorithm ?? null, bits: credential.bits ?? null }
    findings.push(report('credential-weak', `is weak: ${weaknesses.join(', ')}`, { evidence }))
  }
  if (timing.disproved) {
    findings.push(
      report('credential-unrotated', `was not rotated as declared: ${timing.disproved}`, {
        remedy: `${replaceRemedy(credential)}; or put rotatedAt right`,
      }),
    )
  }
  const reminders = credential.declaration.remindBefore ?? config.remindBefore
  findings.push(...judgeAge(timing, reminders, nowMs, report))
  findings.push(...judgeExpiry(credential.validFromMs, timing, reminders, nowMs, report))
  return findings
}

type Reporter = (rule: RuleId, summary: string, more?: Partial<Finding>) => Finding

function judgeAge(
  timing: Timing,
  reminders: number[] | undefined,
  nowMs: number,
  report: Reporter,
): Finding[] {
  const { setAtMs, dueAtMs, since } = timing
  if (dueAtMs === undefined) return []
  const evidence = { since, setAt: day(setAtMs), dueAt: day(dueAtMs) }
  const atLeast = since === 'mtime' ? 'at least ' : ''
  if (nowMs >= dueAtMs) {
    const ages = `is ${atLeast}${roughly(nowMs - setAtMs)} old and was due on ${day(dueAtMs)}`
    return [report('credential-overdue', ages, { evidence })]
  }
  const step = reminderReached(dueAtMs, setAtMs, reminders, nowMs)
  if (step === undefined) return []
  return [
    report('credential-due-soon', `has to be rotated by ${day(dueAtMs)}, in ${roughly(dueAtMs - nowMs)}`, {
      severity: dueAtMs - nowMs > 15 * DAY_MS ? 'info' : 'warning',
      evidence: { ...evidence, reminder: roughly(step) },
    }),
  ]
}

function judgeExpiry(
  validFromMs: number | undefined,
  timing: Timing,
  reminders: number[] | undefined,
  nowMs: number,
  report: Reporter,
): Finding[] {
  const { expiresAtMs } = timing
  if (expiresAtMs !== undefined && nowMs >= expiresAtMs) {
    const evidence = { expiresAt: day(expiresAtMs) }
    return [report('credential-expired', `expired on ${day(expiresAtMs)}`, { evidence })]
  }
  if (validFromMs !== undefined && nowMs < validFromMs) {
    const summary = `is not valid before ${iso(validFromMs)}`
    const remedy = 'Wait until then, or put the clock of this host right: timedatectl status'
    return [report('credential-not-yet-valid', summary, { remedy })]
  }
  if (expiresAtMs === undefined) return []
  const step = reminderReached(expiresAtMs, validFromMs ?? timing.setAtMs, reminders, nowMs)
  if (step === undefined) return []
  return [
    report('credential-expiring', `expires on ${day(expiresAtMs)}, in ${roughly(expiresAtMs - nowMs)}`, {
      severity: expiresAtMs - nowMs > 7 * DAY_MS ? 'warning' : 'critical',
      evidence: { expiresAt: day(expiresAtMs), reminder: roughly(step) },
    }),
  ]
}

function weaknessesOf({ declaration, algorithm, bits, brokenSignature, weaknesses }: Credential): string[] {
  const all = [...weaknesses]
  if (algorithm?.startsWith('dsa')) all.push('DSA is not to be used any more')
  const sized = algorithm === 'rsa' || algorithm === 'rsa-pss' || algorithm === 'elgamal'
  if ('minRsaBits' in declaration && sized && bits !== undefined && bits < declaration.minRsaBits) {
    all.push(`${algorithm.toUpperCase()} of ${bits} bits, wanted ${declaration.minRsaBits}`)
  }
  if (algorithm === 'ec' && bits !== undefined && bits < 256) all.push(`a curve of ${bits} bits, wanted 256`)
  if (brokenSignature) all.push(`it is signed with ${brokenSignature}`)
  return all
}

/** Files with a secret in them that more users can open than the declaration allows; each file once. */
export function judgeModes(credentials: Credential[]): Finding[] {
  const files = new Map(credentials.filter(({ confidential }) => confidential).map((one) => [one.path, one]))
  return [...files.values()].flatMap(({ path, mode, declaration }): Finding[] => {
    const excess = mode & ~declaration.maxMode & 0o777
    if (excess === 0) return []
    const severity: Severity = (mode & 0o006) !== 0 ? 'critical' : 'warning'
    return [
      {
        rule: 'credential-readable-by-others',
        subject: path,
        severity,
        summary: `${path} holds a secret and has mode ${octal(mode)}, wanted at most ${octal(declaration.maxMode)}`,
        remedy: `chmod ${octal(mode & declaration.maxMode)} ${quote(path)}; and rotate what is in it, since it may have been read`,
        evidence: { ...evidenceOf(declaration), mode: octal(mode), maxMode: octal(declaration.maxMode) },
        references: rules['credential-readable-by-others'].references,
      },
    ]
  })
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/** One secret in several files: one finding for each such secret, about the first of its places. */
export function judgeReuse(credentials: Credential[]): Finding[] {
  const places = Map.groupBy(
    credentials.filter(
      ({ declaration: { kind }, confidential, placeholder, fingerprint }) =>
        confidential &&
        !placeholder &&
        fingerprint !== undefined &&
        kind !== 'certificate' &&
        kind !== 'openpgp-key',
    ),
    ({ fingerprint }) => fingerprint,
  )
  return [...places.values()].flatMap((same): Finding[] => {
    // Two names in one file, or two paths to one file, are one place to protect.
    if (new Set(same.map(({ file }) => file)).size < 2) return []
    const [first, ...others] = same.toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
    if (!first) return []
    return [
      {
        rule: 'credential-reused',
        subject: first.subject,
        severity: rules['credential-reused'].severity,
        summary: `${nameOf(first)} has the same value as ${others.length === 1 ? others[0]?.subject : `${others.length} other places`}`,
        remedy: 'Give each place a value of its own',
        evidence: {
          ...evidenceOf(first.declaration),
          places: same.length,
          others: shorten(others.map(({ subject }) => subject).join(' ')),
        },
      },
    ]
  })
}

/** A declared place where nothing is. */
export function missingFinding(declaration: Declaration, subject: string): Finding {
  return {
    rule: 'credential-missing',
    subject,
    severity: rules['credential-missing'].severity,
    summary: `There is no ${subject}, which is declared as ${declaration.kind}`,
    remedy:
      'Put it there, or take it out of the configuration of this job (missingOk: true where it may be missing)',
    evidence: evidenceOf(declaration),
  }
}

function evidenceOf(declaration: Declaration, line?: number): Record<string, Scalar> {
  const { kind, name, owner, service, runbook } = declaration
  const all: [string, Scalar | undefined][] = Object.entries({ kind, name, owner, service, runbook, line })
  return Object.fromEntries(all.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))
}

function shorten(text: string): string {
  return text.length > 1000 ? `${text.slice(0, 999)}…` : text
}
