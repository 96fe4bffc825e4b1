import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  formatDuration,
  globMatcher,
  type HostReader,
  readJournald,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { lookForForwarding } from './forwarding.ts'
import { hasJournal } from './journal.ts'
import { parseState, type Rotation, readRotation } from './logrotate.ts'
import { beginOf, JOURNAL, type JournalUse, judgeJournal, judgeRotation, policiesFor } from './retention.ts'

type Context = CheckContext<Config>
interface Checked {
  findings: Finding[]
  blind: Blind[]
  /** Rules that have nothing to judge, with the reason. */
  idle: Map<string, string>
}

const ROTATION_RULES = ['rotation-missing', 'retention-too-short', 'retention-too-long', 'retention-conflict']

const WANTED = '/etc/systemd/system/multi-user.target.wants'
const SYSLOG_UNITS = ['rsyslog.service', 'syslog-ng.service']

/** How long logs are kept, by whom they are rotated, and whether they are sent elsewhere. `logs`: paths of those that are there. */
export async function checkKeeping(ctx: Context, logs: string[]): Promise<Checked> {
  const { config, host } = ctx
  const checked: Checked = { findings: [], blind: [], idle: new Map() }
  const asksRotation = config.logs.some(({ rotated }) => rotated)
  const ofFiles = config.retention.filter(({ paths }) => paths.some((path) => path !== JOURNAL))
  if (asksRotation || ofFiles.length > 0) {
    const rotation = readRotation(host, config.logrotate.files)
    checked.blind.push(
      ...rotation.problems.map(({ path, reason }) => ({ subject: path, reason, rules: ROTATION_RULES })),
    )
    checked.findings.push(...judgeRotation(rotation.rules, ofFiles))
    checked.findings.push(...uncovered(ctx, rotation, logs))
    if (rotation.rules.length === 0 && rotation.problems.length === 0 && !asksRotation) {
      for (const rule of ROTATION_RULES) checked.idle.set(rule, 'logrotate has no rules here')
    }
  }
  if (!asksRotation) checked.idle.set('rotation-missing', 'the job names no log that has to be rotated')
  if (ofFiles.length === 0) {
    for (const rule of ROTATION_RULES.slice(1)) checked.idle.set(rule, 'the job has no policy about logs')
  }
  checkState(ctx, logs, checked)
  await checkJournal(ctx, checked)
  checkForwarding(ctx, checked)
  return checked
}

function uncovered({ config, actions = [] }: Context, { rules }: Rotation, logs: string[]): Finding[] {
  const isRuled = globMatcher(rules.flatMap(({ patterns }) => patterns))
  const own = new Set(
    actions.filter(({ plugin }) => plugin === 'log-rotation').flatMap(({ subjects }) => subjects),
  )
  const wanted = config.logs.filter(({ rotated }) => rotated).map(({ path }) => globMatcher([path]))
  return logs
    .filter((path) => wanted.some((isMeant) => isMeant(path)) && !isRuled(path) && !own.has(path))
    .map((path) => ({
      rule: 'rotation-missing',
      subject: path,
      severity: 'warning',
      summary: `No rule of logrotate and no job of reeve rotates ${path}`,
      remedy: `printf '%s {\\n  weekly\\n  rotate 13\\n  compress\\n  missingok\\n  notifempty\\n}\\n' ${path} > /etc/logrotate.d/${path.slice(path.lastIndexOf('/') + 1).replace(/\W+/g, '-')}`,
      evidence: { path },
    }))
}

function checkState({ config, host, now }: Context, logs: string[], checked: Checked): void {
  const asked = config.logs.filter(({ rotatedWithin }) => rotatedWithin !== undefined)
  if (asked.length === 0) {
    checked.idle.set('rotation-overdue', 'the job does not say how often logs have to be rotated')
    return
  }
  const { state } = config.logrotate
  try {
    const times = parseState(host.readText(state, { maxBytes: 8 * 1024 * 1024, follow: true }))
    for (const path of logs) {
      const within = asked.find((one) => globMatcher([one.path])(path))?.rotatedWithin
      if (within === undefined) continue
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
    checked.findings.push(...judgeJournal(readJournald(host), use, config.retention, now.getTime()))
  } catch (error) {
    signal.throwIfAborted()
    checked.blind.push({ subject: JOURNAL, reason: describeError(error), rules: [rule] })
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
  if (active.length > 0) return
  checked.blind.push(...blind)
  // A file that could not be read may be the one that says where to.
  if (blind.length > 0) return
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
