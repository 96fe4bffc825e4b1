import { type Finding, formatDuration, globMatcher } from '../../../agent/contract/mod.ts'
import { type Properties, parseSpan, parseTimestamp } from '../live/show.ts'

/** What is remembered of a timer: systemd forgets with each boot when one without Persistent= ran. */
export interface TimerMemory {
  /** UTC milliseconds. */
  seenMs: number
  triggeredMs: number | null
}

interface Timer {
  name: string
  triggers: string
  /** Calendar expressions, as systemd writes them. */
  calendar: string[]
  isPersistent: boolean
  /** How late it may be by its own settings. */
  slackMs: number
  triggeredMs: number | undefined
  activeSinceMs: number | undefined
  nextMs: number | undefined
  state: string
  subState: string
}

export interface TimerFacts {
  nowMs: number
  graceMs: number
  ignored: string[]
  memory: Readonly<Record<string, TimerMemory>>
  /** Between two times of a calendar expression, in milliseconds. */
  periods: ReadonlyMap<string, number>
}

/** Calendar expressions of the timers that wait. Pure. */
export function calendarsOf(units: ReadonlyMap<string, Properties>): string[] {
  return [...new Set(timersOf(units, 0).flatMap(({ calendar }) => calendar))]
}

/** Pure: the timers that missed their time, and what to remember of all. */
export function judgeTimers(
  units: ReadonlyMap<string, Properties>,
  facts: TimerFacts,
): { findings: Finding[]; memory: Record<string, TimerMemory> } {
  const isIgnored = globMatcher(facts.ignored)
  const memory: Record<string, TimerMemory> = {}
  const findings: Finding[] = []
  for (const timer of timersOf(units, facts.nowMs)) {
    const before = facts.memory[timer.name]
    const triggeredMs = Math.max(timer.triggeredMs ?? 0, before?.triggeredMs ?? 0) || null
    memory[timer.name] = { seenMs: before?.seenMs ?? facts.nowMs, triggeredMs }
    if (isIgnored(timer.name)) continue
    const why =
      timer.state === 'active' ? missed(timer, memory[timer.name], units, facts) : notStarted(timer, units)
    if (why === undefined) continue
    const last = triggeredMs === null ? 'never' : new Date(triggeredMs).toISOString()
    findings.push({
      rule: 'timer-missed',
      subject: timer.name,
      severity: 'warning',
      summary: `${timer.name} ${why}`,
      remedy: `systemctl status '${timer.name}' '${timer.triggers}'\nsystemctl start '${timer.triggers}'`,
      evidence: {
        triggers: timer.triggers,
        last,
        next: timer.nextMs === undefined ? null : new Date(timer.nextMs).toISOString(),
        calendar: timer.calendar.join(', ') || null,
      },
    })
  }
  return { findings, memory }
}

function timersOf(units: ReadonlyMap<string, Properties>, nowMs: number): Timer[] {
  return [...units].flatMap(([name, properties]) => {
    if (!name.endsWith('.timer') || properties.get('LoadState') !== 'loaded') return []
    const get = (key: string) => properties.get(key) ?? ''
    const monotonic = parseSpan(get('NextElapseUSecMonotonic'))
    return [
      {
        name,
        triggers: get('Unit'),
        calendar: [...get('TimersCalendar').matchAll(/OnCalendar=(.*?) ;/g)].map(([, text = '']) => text),
        isPersistent: get('Persistent') === 'yes',
        slackMs: (parseSpan(get('AccuracyUSec')) ?? 60_000) + (parseSpan(get('RandomizedDelayUSec')) ?? 0),
        triggeredMs: parseTimestamp(get('LastTriggerUSec')),
        activeSinceMs: parseTimestamp(get('ActiveEnterTimestamp')),
        // Of a time since the boot only whether there is one counts.
        nextMs: parseTimestamp(get('NextElapseUSecRealtime')) ?? (monotonic ? nowMs : undefined),
        state: get('ActiveState'),
        subState: get('SubState'),
      },
    ]
  })
}

function missed(
  timer: Timer,
  memory: TimerMemory | undefined,
  units: ReadonlyMap<string, Properties>,
  { nowMs, graceMs, periods }: TimerFacts,
): string | undefined {
  const ago = (ms: number) => formatDuration(Math.round((nowMs - ms) / 60_000) * 60_000)
  const latestMs = timer.slackMs + graceMs
  const period = Math.min(
    ...timer.calendar.map((expression) => periods.get(expression) ?? Number.POSITIVE_INFINITY),
  )
  if (timer.subState === 'running') {
    const since = parseTimestamp(units.get(timer.triggers)?.get('ActiveEnterTimestamp')) ?? timer.triggeredMs
    if (since === undefined || !Number.isFinite(period) || nowMs - since <= 2 * period + latestMs)
      return undefined
    return `waits for ${timer.triggers}, which has run for ${ago(since)}: it has missed its times since`
  }
  if (timer.nextMs === undefined)
    return timer.triggeredMs === undefined && memory?.triggeredMs == null
      ? 'has never run, and no time is left at which it would'
      : undefined
  if (timer.calendar.length > 0 && timer.nextMs + latestMs < nowMs)
    return `should have run ${ago(timer.nextMs)} ago, and did not`
  if (!Number.isFinite(period)) return undefined
  const start = timer.activeSinceMs ?? nowMs
  const last = memory?.triggeredMs ?? Math.min(memory?.seenMs ?? start, start)
  // After a boot a persistent one makes up for it, within its own delay.
  const due = Math.max(last + 2 * period + latestMs, timer.isPersistent ? start + latestMs : 0)
  if (due >= nowMs) return undefined
  const ran = memory?.triggeredMs ? `ran last ${ago(last)} ago` : `has not run for at least ${ago(last)}`
  return `${ran}, though it should every ${formatDuration(period)}`
}

/** Enabled, and yet nobody has started it. */
function notStarted(timer: Timer, units: ReadonlyMap<string, Properties>): string | undefined {
  const properties = units.get(timer.name)
  const isEnabled = properties?.get('UnitFileState') === 'enabled'
  // A condition of the unit keeps it from it: that is as somebody wants it.
  const isKept = properties?.get('ConditionResult') === 'no' && properties.get('ConditionTimestamp') !== ''
  return isEnabled && !isKept && timer.state === 'inactive' ? 'is enabled, but was not started' : undefined
}
