import {
  type CheckContext,
  describeError,
  type Finding,
  type HostWriter,
  type Report,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { changeFindings, compareReviewed, loadReviewed, saveReviewed } from './drift.ts'
import { type Circumstances, type Look, lookAround, type Outcome } from './look.ts'
import { checkMaestro } from './maestro/check.ts'
import { checkOfelia } from './ofelia/check.ts'
import { checkRostr } from './rostr/check.ts'
import { checkRstmdb } from './rstmdb/check.ts'
import { complain, RULE_IDS, rulesOf, type Service } from './rules.ts'

const CHECKS: Record<Service, (look: Look, circumstances: Circumstances) => Outcome | Promise<Outcome>> = {
  rstmdb: (look) => ({ findings: checkRstmdb(look) }),
  ofelia: checkOfelia,
  maestro: checkMaestro,
  rostr: checkRostr,
}

/** Judges, and with it reads, all that belongs to the configuration of a service. */
export async function judgeService(look: Look, circumstances: Circumstances): Promise<Outcome> {
  return CHECKS[circumstances.config.service](look, circumstances)
}

export async function checkService(context: CheckContext<Config>): Promise<Report> {
  const { config, host } = context
  const own = rulesOf(config.service)
  const foreign = RULE_IDS.filter((rule) => !own.includes(rule)).map((rule) => ({
    rule,
    reason: `it is not about ${config.service}`,
  }))
  const look = lookAround(host, config)
  if (!look) {
    const reason = `${config.service} is not installed: nothing of it is where it would be`
    return { findings: [], inapplicable: [...foreign, ...own.map((rule) => ({ rule, reason }))] }
  }
  const { findings, facts = [], inapplicable = [] } = await judgeService(look, context)
  const { files } = look
  for (const { path, line, reason } of files.malformed) {
    files.dark(path, reason)
    if (look.paths.includes(path)) findings.push(unreadable(config.service, path, line, reason))
  }
  findings.push(...judgeChanges(context, look))
  return {
    findings: distinct(findings),
    blind: files.blind,
    facts,
    inapplicable: [...foreign, ...inapplicable],
    coverage: { examined: files.digests.size, skipped: 0 },
  }
}

function unreadable(service: Service, path: string, line: number | undefined, reason: string): Finding {
  const what = service === 'ofelia' ? 'starts without anything of it' : 'would not start'
  const summary = `${service} cannot read its configuration, ${reason}, and ${what}`
  const remedy = `Put it right, or take the last good one from a backup: reeve backup restore --to /tmp/restored ${path}`
  return complain('would-not-start', { key: '', place: { path, line }, summary, remedy })
}

/** Several ways of starting a program share its files: each finding about them once. */
function distinct(findings: Finding[]): Finding[] {
  const seen = new Map<string, Finding>()
  for (const finding of findings) {
    const key = `${finding.rule} ${finding.subject}`
    if (!seen.has(key)) seen.set(key, finding)
  }
  return [...seen.values()]
}

function judgeChanges(
  { config, job, now, state, stateDir }: CheckContext<Config>,
  { files }: Look,
): Finding[] {
  const known = load(state, stateDir, files)
  if (known === 'unreadable') return []
  const dark = new Set(files.blind.map(({ subject }) => subject))
  const { next, changed } = compareReviewed(known, files.digests, dark, now.getTime())
  if (JSON.stringify(next) !== JSON.stringify(known)) saveReviewed(state, stateDir, next)
  return changeFindings(changed, { job, nowMs: now.getTime(), reviewWithinMs: config.reviewWithin })
}

function load(
  state: HostWriter,
  stateDir: string,
  files: Look['files'],
): ReturnType<typeof loadReviewed> | 'unreadable' {
  try {
    return loadReviewed(state, stateDir)
  } catch (error) {
    const reason = `what was looked over cannot be read: ${describeError(error)}; "reeve service-config reviewed" begins anew`
    files.blind.push({ subject: stateDir, reason, rules: ['configuration-changed'] })
    return 'unreadable'
  }
}
