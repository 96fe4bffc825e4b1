import { type Finding, formatDuration, z } from '../../agent/contract/mod.ts'
import type { LogSettings } from './config.ts'
import { timeOfLine, timeOfNumber, timeOfText } from './timestamp.ts'

const TIME_FIELDS = ['time', 'ts', 'timestamp', '@timestamp', 't', 'date', 'datetime', 'asctime', 'eventTime']
/** Writers on several processors do not agree to the second. */
const MAX_DISORDER_MS = 5000
/** A gap is told for so long. */
const GAP_SHOWN_MS = 86_400_000
const MAX_FIELDS_SHOWN = 20

/** Where in a log something is: the line where it is counted from the beginning, else the byte. */
export interface Spot {
  line: number | null
  offset: number
}

/** What is known of the lines so far. It is kept from run to run. */
export const lineStateSchema = z.object({
  lastMs: z.number().nullable(),
  gap: z.object({ fromMs: z.number(), toMs: z.number() }).nullable(),
})
export type LineState = z.infer<typeof lineStateSchema>

/** Looks at lines one after another. Pure. */
export class LineReview {
  lines = 0
  private bad = { count: 0, first: undefined as Spot | undefined }
  private disorder = { count: 0, first: undefined as Spot | undefined, byMs: 0 }
  private entries = 0
  private incomplete = { count: 0, first: undefined as Spot | undefined, fields: new Set<string>() }

  constructor(
    private readonly settings: LogSettings,
    private readonly nowMs: number,
    readonly state: LineState,
  ) {}

  add(text: string, spot: Spot): void {
    if (text === '') return
    const { format, times, fields } = this.settings
    this.lines++
    const entry = format === 'json' ? parseObject(text) : undefined
    const isContinued = format === 'text' && /^\s/.test(text)
    const time = times ? this.timeOf(text, entry) : undefined
    if ((format === 'json' && !entry) || (times && time === undefined && !isContinued)) {
      this.bad.count++
      this.bad.first ??= spot
    }
    if (time !== undefined) this.addTime(time, spot)
    if (fields.length > 0 && (format === 'text' || entry)) this.addEntry(entry ?? parsePairs(text), spot)
  }

  private timeOf(text: string, entry: Record<string, unknown> | undefined): number | undefined {
    if (this.settings.format === 'text') return timeOfLine(text, this.nowMs)
    if (!entry) return undefined
    const names = this.settings.timeField === undefined ? TIME_FIELDS : [this.settings.timeField]
    for (const name of names) {
      const value = valueAt(entry, name)
      const time =
        typeof value === 'number' ? timeOfNumber(value) : timeOfText(String(value ?? ''), this.nowMs)
      if (time !== undefined) return time
    }
    return undefined
  }

  private addTime(time: number, spot: Spot): void {
    const { lastMs, gap } = this.state
    if (lastMs !== null && lastMs - time > MAX_DISORDER_MS) {
      this.disorder.count++
      this.disorder.first ??= spot
      this.disorder.byMs = Math.max(this.disorder.byMs, lastMs - time)
      return
    }
    const { maxGap } = this.settings
    if (maxGap !== undefined && lastMs !== null && time - lastMs > maxGap) {
      const isLonger = !gap || time - lastMs > gap.toMs - gap.fromMs || this.nowMs - gap.toMs > GAP_SHOWN_MS
      if (isLonger) this.state.gap = { fromMs: lastMs, toMs: time }
    }
    this.state.lastMs = Math.max(lastMs ?? time, time)
  }

  private addEntry(entry: Record<string, unknown>, spot: Spot): void {
    const { entries, fields } = this.settings
    const isMeant = Object.entries(entries).every(([name, value]) => String(valueAt(entry, name)) === value)
    if (!isMeant) return
    this.entries++
    const missing = fields.filter((names) => !names.split('|').some((name) => isSaid(valueAt(entry, name))))
    if (missing.length === 0) return
    this.incomplete.count++
    this.incomplete.first ??= spot
    for (const name of missing) this.incomplete.fields.add(name)
  }

  /** What the lines of this run show; a gap is judged by `judgeTimes`. */
  findings(path: string): Finding[] {
    const { settings, lines, bad, disorder, entries, incomplete } = this
    const tolerance = settings.tolerance ?? (settings.format === 'json' ? 0.01 : 0.3)
    const findings: Finding[] = []
    const report = (rule: string, spot: Spot | undefined, summary: string, remedy: string) =>
      findings.push({
        rule,
        subject: path,
        severity: 'warning',
        summary,
        remedy,
        evidence: { path, line: spot?.line ?? null, offset: spot?.offset ?? null },
      })
    if (bad.count > tolerance * lines) {
      const what = settings.format === 'json' ? 'no JSON with a time' : 'without a time'
      const remedy = `See them: tail -c +${(bad.first?.offset ?? 0) + 1} ${path} | head; have the service write ${settings.format === 'json' ? 'JSON' : 'a time in front of each line'}, or set \`times\` and \`format\``
      report('log-unparsable', bad.first, `${path}: ${bad.count} of ${lines} lines are ${what}`, remedy)
    }
    if (disorder.count > 0) {
      const summary = `${path}: times go back ${disorder.count} times, by up to ${formatDuration(disorder.byMs)}`
      report(
        'log-disorder',
        disorder.first,
        summary,
        'See whether the clock was set back: timedatectl; journalctl -u systemd-timesyncd',
      )
    }
    if (settings.fields.length === 0) return findings
    const remedy = 'Switch the audit log on in the service, in the form that has them'
    if (entries === 0 && lines > 0) {
      report(
        'audit-log-unusable',
        undefined,
        `${path}: none of ${lines} lines is an entry of the audit log`,
        remedy,
      )
    } else if (incomplete.count > tolerance * entries) {
      const missing = [...incomplete.fields].slice(0, MAX_FIELDS_SHOWN).join(', ')
      const summary = `${path}: ${incomplete.count} of ${entries} entries do not say ${missing}`
      report('audit-log-unusable', incomplete.first, summary, remedy)
    }
    return findings
  }
}

/** Whether it is time that a line came, and whether one came too late. `writtenMs`: when the log changed last. Pure. */
export function judgeTimes(
  path: string,
  settings: LogSettings,
  { lastMs, gap }: LineState,
  writtenMs: number,
  nowMs: number,
): Finding[] {
  const findings: Finding[] = []
  const { writtenWithin, maxGap } = settings
  const remedy = 'See whether the service runs and may write: systemctl status; ls -l'
  const quietMs = nowMs - Math.max(lastMs ?? 0, lastMs === null ? writtenMs : 0)
  if (writtenWithin !== undefined && quietMs > writtenWithin) {
    findings.push({
      rule: 'log-not-growing',
      subject: path,
      severity: 'warning',
      summary: `Nothing was written to ${path} for ${formatDuration(quietMs)}, wanted at least every ${formatDuration(writtenWithin)}`,
      remedy: `${remedy} ${path}`,
      evidence: { path, quietSeconds: Math.round(quietMs / 1000) },
    })
  }
  if (maxGap !== undefined && gap && nowMs - gap.toMs < GAP_SHOWN_MS && gap.toMs - gap.fromMs > maxGap) {
    const [from, to] = [gap.fromMs, gap.toMs].map((time) => new Date(time).toISOString())
    findings.push({
      rule: 'log-gap',
      subject: path,
      severity: 'warning',
      summary: `${path} has no line from ${from} to ${to}, wanted one at least every ${formatDuration(maxGap)}`,
      remedy: 'See what happened to the service in that time, and whether somebody took lines out',
      evidence: { path, from: from ?? null, to: to ?? null },
    })
  }
  return findings
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** `key=value key="a value"` in a line of text. */
function parsePairs(text: string): Record<string, unknown> {
  const pairs: Record<string, unknown> = {}
  for (const [, name = '', quoted, plain] of text
    .slice(0, 16_384)
    .matchAll(/([\w.@-]{1,100})=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    pairs[name] = quoted ?? plain
  }
  return pairs
}

/** By the name itself, or step by step where it has dots. */
function valueAt(entry: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(entry, path)) return entry[path]
  let at: unknown = entry
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}
