import type { Finding, Scalar } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { Credential } from '../credential.ts'
import type { Declaration } from '../declaration.ts'
import { type RuleId, rules } from '../rules.ts'
import { quote } from '../text.ts'
import { DAY_MS, reminderReached, type Timing } from '../timing.ts'
import { day, iso, nameOf, replaceRemedy, roughly } from '../words.ts'
import { judgeCertificate } from './certificate.ts'

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
  if (credential.openToAll) {
    const more: Partial<Finding> = {
      severity: 'critical',
      remedy: `Lock it: passwd -l ${quote(credential.id ?? '')}`,
    }
    return [report('credential-empty', 'is empty: anybody can sign in without one', more)]
  }
  if (credential.fingerprint === undefined) return [report('credential-empty', 'is empty')]
  if (credential.superseded) return []
  if (credential.revoked) return [report('credential-revoked', 'is revoked, but still in place')]
  const findings: Finding[] = []
  if (credential.placeholder) {
    findings.push(report('credential-placeholder', 'is a sample value that everybody knows'))
  }
  if (credential.inUnit) {
    findings.push(
      report(
        'credential-in-unit',
        'stands in the unit itself, which every user can read with systemctl show',
        {
          remedy:
            'Put it into a file of mode 0600, name that with EnvironmentFile= or LoadCredential=, then rotate it',
        },
      ),
    )
  }
  findings.push(...judgeForm(credential, report), ...judgeCertificate(credential, report))
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

/** A line of a file in which only hashes may stand (rstmdb compares them as they are written). */
function judgeForm({ declaration, form, line }: Credential, report: Reporter): Finding[] {
  if (declaration.kind !== 'token-file' || declaration.form !== 'sha256') return []
  if (form === 'plain') {
    const remedy = `Replace line ${line ?? 0} by the hash of a new token: reeve token hash < FILE; the old one may have been read`
    return [report('credential-in-plain', 'stands in plain where only its SHA-256 may stand', { remedy })]
  }
  if (form !== 'sha256-upper') return []
  return [
    report('credential-in-plain', 'is a hash in upper case, which never matches', {
      severity: 'warning',
      remedy: `Write line ${line ?? 0} in lower case`,
    }),
  ]
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
    return [report('credential-overdue', ages, { evidence: { ...evidence, ...daily(dueAtMs, nowMs) } })]
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

/** Once it is due, people are told of it every day. */
function daily(dueAtMs: number, nowMs: number): Record<'reminder', string> {
  return { reminder: `day ${Math.floor((nowMs - dueAtMs) / DAY_MS) + 1}` }
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
    const evidence = { expiresAt: day(expiresAtMs), ...daily(expiresAtMs, nowMs) }
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

export function evidenceOf(declaration: Declaration, line?: number): Record<string, Scalar> {
  const { kind, name, owner, service, runbook } = declaration
  const all: [string, Scalar | undefined][] = Object.entries({ kind, name, owner, service, runbook, line })
  return Object.fromEntries(all.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))
}
