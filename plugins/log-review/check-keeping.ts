import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  formatDuration,
  globMatcher,
  type HostReader,
  isWithin,
  readJournald,
} from '../../agent/contract/mod.ts'
import type { Config, Policy } from './config.ts'
import { lookForForwarding } from './forwarding.ts'
import { hasJournal } from './journal.ts'
import { parseState, type Rotation, type RotationRule, readRotation } from './logrotate.ts'
import {
  beginOf,
  blockFor,
  JOURNAL,
  type JournalUse,
  judgeConflict,
  judgeJournal,
  judgeRetention,
  type Kept,
  logOf,
  matchPolicies,
  policiesFor,
} from './retention.ts'
import { type Asked, RETENTION_RULES, type RuleId, rulesOfPolicy } from './rules.ts'

type Context = CheckContext<Config>
interface Checked {
  findings: Finding[]
  blind: Blind[]
  /** Rules that have nothing to judge, with the reason. */
  idle: Map<string, string>
  /** What policies about logs want to have judged. */
  asked: Asked[]
  /** Subjects that were looked at, without the logs that others looked at before. */
  examined: number
  skipped: number
}

/** Policies clash over whatever they are both about, a log or the journal. */
const CONFLICT_JUDGED: Asked = { subject: 'policies', rules: ['retention-conflict'], isThere: true }
const ROTATION_RULES: RuleId[] = ['rotation-missing', ...RETENTION_RULES]
/** Logs that policies match; of more than these it is blind. */
const MAX_LOGS = 20_000

const WANTED = '/etc/systemd/system/multi-user.target.wants'
const SYSLOG_UNITS = ['rsyslog.service', 'syslog-ng.service']

/** How long logs are kept, by whom they are rotated, and whether they are sent elsewhere. `logs`: paths of those that are there. */
export async function checkKeeping(ctx: Context, logs: ReadonlySet<string>): Promise<Checked> {
  const { config } = ctx
  const checked: Checked = { findings: [], blind: [], idle: new Map(), asked: [], examined: 0, skipped: 0 }
  // Each path by itself: one that leads nowhere does not pass with the others of its policy.
  const ofFiles = config.retention.flatMap((policy) =>
    policy.paths.filter((path) => path !== JOURNAL).map((path) => ({ ...policy, paths: [path] })),
  )
  if (ofFiles.length > 0 || config.logs.some(({ rotated }) => rotated)) {
    const rotation = surveyRotation(ctx)
    checked.blind.push(
      ...rotation.problems.map(({ path, reason }) => ({ subject: path, reason, rules: ROTATION_RULES })),
    )
    await checkRetention(ctx, rotation, ofFiles, logs, checked)
    checked.findings.push(...unrotated(config, rotation, logs))
  }
  checkState(ctx, logs, checked)
  await checkJournal(ctx, checked)
  checkForwarding(ctx, checked)
  return checked
}

interface SurveyedRotation extends Rotation {
  /** A rule of logrotate covers the log. */
  isRuled: (path: string) => boolean
  /** A job of reeve rotates it. */
  isOwn: (path: string) => boolean
  /** Nothing rotates it, for sure: a file that could not be read may be the one that does. */
  isUnrotated: (path: string) => boolean
}

function surveyRotation({ config, host, actions = [] }: Context): SurveyedRotation {
  const rotation = readRotation(host, config.logrotate.files)
  const isRuled = globMatcher(rotation.rules.flatMap(({ patterns }) => patterns))
  const own = new Set(
    actions.filter(({ plugin }) => plugin === 'log-rotation').flatMap(({ subjects }) => subjects),
  )
  const isOwn = (path: string) => own.has(path)
  const isUnrotated = (path: string) => rotation.problems.length === 0 && !isRuled(path) && !isOwn(path)
  return { ...rotation, isRuled, isOwn, isUnrotated }
}

function unrotated(
  { logs: settings }: Config,
  { isUnrotated }: SurveyedRotation,
  logs: ReadonlySet<string>,
): Finding[] {
  const isMeant = globMatcher(settings.filter(({ rotated }) => rotated).map(({ path }) => path))
  return [...logs]
    .filter((path) => isMeant(path) && isUnrotated(path))
    .map((path) => ({
      rule: 'rotation-missing',
      subject: path,
      severity: 'warning',
      summary: `No rule of logrotate and no job of reeve rotates ${path}`,
      remedy: blockFor(path, ['weekly', 'rotate 13']),
      evidence: { path },
    }))
}

/** Policies about logs. A log that a job of reeve rotates is that job's to judge; only that policies clash is told here. */
async function checkRetention(
  ctx: Context,
  rotation: SurveyedRotation,
  policies: Policy[],
  known: ReadonlySet<string>,
  checked: Checked,
): Promise<void> {
  const logs = await findLogs(ctx, rotation, policies, checked)
  const kept = matchPolicies(rotation.rules, policies, logs)
  const isJudged = ({ subject, rule }: Kept) => rule !== undefined || rotation.isUnrotated(subject)
  checked.examined += kept.filter(({ subject }) => !known.has(subject)).length
  checked.findings.push(
    ...kept.flatMap((one) => [...judgeConflict(one), ...(isJudged(one) ? judgeRetention(one) : [])]),
  )
  // What could not be read may be what a policy is about: then nothing is said not to be there.
  const isDark = checked.blind.length > 0
  for (const policy of policies) {
    const about = kept.filter((one) => one.policies.includes(policy))
    const isElsewhere =
      about.length > 0 && about.every(({ subject, rule }) => !rule && rotation.isOwn(subject))
    checked.asked.push({
      subject: policy.paths.join(', '),
      rules: isElsewhere ? [] : rulesOfPolicy(policy),
      isThere: about.length > 0 || isDark,
    })
  }
  if (kept.length > 0 || (isDark && policies.length > 0)) checked.asked.push(CONFLICT_JUDGED)
}

/** The logs that are there, with the policies that match them, themselves or what was rotated out of them. */
async function findLogs(
  { host, signal }: Context,
  { rules, isRuled, isOwn }: SurveyedRotation,
  policies: Policy[],
  checked: Checked,
): Promise<Map<string, Policy[]>> {
  const logs = new Map<string, Policy[]>()
  const onBlind = (subject: string, reason: string) =>
    checked.blind.push({ subject, reason, rules: RETENTION_RULES })
  const onSkip = () => checked.skipped++
  const patterns = policies.flatMap(({ paths }) => paths)
  for await (const batch of host.globAll(patterns, { onBlind, onSkip, signal })) {
    for (const { entry, patterns: matched } of batch) {
      const { path, type } = entry
      if (isWithin(JOURNAL, path)) continue
      if (type !== 'file') {
        // Below a wildcard it is just no log.
        if (patterns.includes(path)) onBlind(path, 'it is no file: name the log, or a pattern')
        continue
      }
      const log = logOf(path)
      if (log !== path && rules.some((rule) => isMovedBy(rule, path))) continue
      const isKnown = logs.has(log) || isRuled(log) || isOwn(log)
      const subject = isKnown ? log : path
      const own = matched.flatMap((position) => policies[position] ?? [])
      logs.set(subject, [...new Set([...(logs.get(subject) ?? []), ...own])])
      if (logs.size <= MAX_LOGS) continue
      onBlind(patterns.join(', ').slice(0, 900), `there are more than ${MAX_LOGS} logs`)
      return logs
    }
  }
  return logs
}

/** Whether a rule moves what it rotates to where this is: it is judged where it came from. */
function isMovedBy({ oldDirectory }: RotationRule, path: string): boolean {
  return oldDirectory !== undefined && `/${path.slice(0, path.lastIndexOf('/'))}`.endsWith(`/${oldDirectory}`)
}

function checkState({ config, host, now }: Context, logs: ReadonlySet<string>, checked: Checked): void {
  const asked = config.logs.filter(({ rotatedWithin }) => rotatedWithin !== undefined)
  const due = [...logs].flatMap((path) => {
    const within = asked.find((one) => globMatcher([one.path])(path))?.rotatedWithin
    return within === undefined ? [] : [{ path, within }]
  })
  if (due.length === 0) return
  const { state } = config.logrotate
  try {
    const times = parseState(host.readText(state, { maxBytes: 8 * 1024 * 1024, follow: true }))
    for (const { path, within } of due) {
      const last = times.get(path)
      // logrotate notes a log when it sees it for the first time, and counts from then on.
      if (last !== undefined && now.getTime() - last <= within) continue
      const since = last === undefined ? 'it does not know it' : `${formatDuration(now.getTime() - last)} ago`
      checked.findings.push({
        rule: 'rotation-overdue',
        subject: path,
        severity: 'warning',
        summary: `logrotate rotated ${path} last: ${since}, wanted within ${formatDuration(within)}`,
        remedy: `See what logrotate says: logrotate -d ${config.logrotate.files[0]} 2>&1 | grep -A5 ${path}; systemctl status logrotate.timer`,
        evidence: { path, rotatedAt: last === undefined ? null : new Date(last).toISOString() },
      })
    }
  } catch (error) {
    checked.blind.push({ subject: state, reason: describeError(error), rules: ['rotation-overdue'] })
  }
}

async function checkJournal({ config, host, now, signal }: Context, checked: Checked): Promise<void> {
  const rule = 'journal-retention'
  if (policiesFor(config.retention, JOURNAL).length === 0) {
    checked.idle.set(rule, 'the job has no policy about the journal')
    return
  }
  try {
    const dark = (subject: string, reason: string) => checked.blind.push({ subject, reason, rules: [rule] })
    const use = await surveyJournal(host, signal, dark)
    if (!hasJournal(host) && !use.hasFiles) {
      checked.idle.set(rule, 'systemd keeps no journal here')
      return
    }
    const keeper = use.isPersistent ? undefined : SYSLOG_UNITS.find((unit) => host.stat(`${WANTED}/${unit}`))
    if (keeper) {
      checked.idle.set(rule, `${keeper} keeps the logs of this host, the journal only hands them on`)
      return
    }
    const settings = readJournald(host)
    checked.examined++
    checked.asked.push(CONFLICT_JUDGED)
    checked.findings.push(...judgeJournal(settings, use, config.retention, now.getTime()))
  } catch (error) {
    signal.throwIfAborted()
    checked.asked.push(CONFLICT_JUDGED)
    const rules = [rule, ...CONFLICT_JUDGED.rules]
    checked.blind.push({ subject: JOURNAL, reason: describeError(error), rules })
  }
}

async function surveyJournal(
  host: HostReader,
  signal: AbortSignal,
  onBlind: (path: string, reason: string) => void,
): Promise<JournalUse> {
  const use: JournalUse = {
    isPersistent: false,
    hasFiles: false,
    bytes: 0,
    oldestMs: undefined,
    fileSystemBytes: 0,
  }
  if (host.stat(JOURNAL)?.type !== 'directory') return use
  use.isPersistent = true
  use.fileSystemBytes = host.fileSystemBytes(JOURNAL)
  for await (const batch of host.walk(JOURNAL, { onBlind, signal })) {
    for (const { path, type, size } of batch) {
      if (type !== 'file') continue
      use.hasFiles = true
      use.bytes += size
      const beginMs = beginOf(path)
      if (beginMs !== undefined) use.oldestMs = Math.min(use.oldestMs ?? beginMs, beginMs)
    }
  }
  return use
}

function checkForwarding({ config, host }: Context, checked: Checked): void {
  const rule = 'forwarding-missing'
  if (config.forwarding === 'optional') {
    checked.idle.set(rule, 'the job does not ask for it')
    return
  }
  const { active, idle, blind } = lookForForwarding(host)
  // A file that could not be read may be the one that says where to.
  if (active.length === 0 && blind.length > 0) {
    checked.blind.push(...blind)
    return
  }
  checked.examined++
  if (active.length > 0) return
  const [first] = idle
  checked.findings.push({
    rule,
    subject: 'forwarding',
    severity: 'warning',
    summary: first
      ? `${first.name} would send logs to another host, but ${first.unit} is not enabled`
      : 'Nothing sends the logs of this host to another one',
    remedy: first
      ? `systemctl enable --now ${first.unit}`
      : 'For example: apt-get install systemd-journal-remote; write URL=https://HOST:19532 in /etc/systemd/journal-upload.conf; systemctl enable --now systemd-journal-upload',
    evidence: { configured: idle.map(({ name }) => name).join(', ') },
  })
}
