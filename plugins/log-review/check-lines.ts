import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  formatBytes,
  z,
} from '../../agent/contract/mod.ts'
import type { Config, LogSettings } from './config.ts'
import { judgeTimes, LineReview, lineStateSchema } from './line-review.ts'
import { positionSchema, readLines } from './read-lines.ts'
import { LINE_RULES, rulesOfLog } from './rules.ts'

const findingSchema = z.object({
  rule: z.string(),
  subject: z.string(),
  severity: z.enum(['info', 'warning', 'critical']),
  summary: z.string(),
  remedy: z.string().default(''),
  evidence: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).default({}),
})

export const logMemorySchema = z.object({
  position: positionSchema,
  state: lineStateSchema,
  /** What the last lines showed: it holds until there are new ones. */
  findings: z.array(findingSchema),
})
export type LogMemory = z.infer<typeof logMemorySchema>

export interface LinesChecked {
  findings: Finding[]
  blind: Blind[]
  memory: Record<string, LogMemory>
  /** Logs that are there, read or not. */
  paths: Set<string>
  skipped: number
  /** Settings whose logs are not there, which is in order. */
  absent: LogSettings[]
}

/** Every declared log, from where the last run ended. */
export function checkLines(ctx: CheckContext<Config>, known: Record<string, LogMemory>): LinesChecked {
  const checked: LinesChecked = {
    findings: [],
    blind: [],
    memory: {},
    paths: new Set(),
    skipped: 0,
    absent: [],
  }
  const { config, host } = ctx
  for (const settings of config.logs) {
    const before = checked.blind.length
    const onBlind = (subject: string, reason: string) =>
      checked.blind.push({ subject, reason, rules: rulesOfLog(settings) })
    const entries = host.glob(settings.path, onBlind).filter(({ type }) => type !== 'directory')
    if (entries.length === 0 && checked.blind.length === before) {
      if (settings.missing === 'inapplicable') checked.absent.push(settings)
      else checked.findings.push(missing(settings))
    }
    for (const { path, size } of entries) {
      if (checked.paths.has(path)) continue
      ctx.signal.throwIfAborted()
      checked.paths.add(path)
      if (settings.maxBytes !== undefined && size > settings.maxBytes)
        checked.findings.push(tooLarge(path, size, settings.maxBytes))
      try {
        checkLog(ctx, settings, path, known[path], checked)
      } catch (error) {
        ctx.signal.throwIfAborted()
        checked.blind.push({ subject: path, reason: describeError(error), rules: LINE_RULES })
        const last = known[path]
        if (last) checked.memory[path] = last
      }
    }
  }
  return checked
}

function checkLog(
  { config, host, now, signal }: CheckContext<Config>,
  settings: LogSettings,
  path: string,
  known: LogMemory | undefined,
  checked: LinesChecked,
): void {
  const review = new LineReview(settings, now.getTime(), known?.state ?? { lastMs: null, gap: null })
  const { position, left, isLost, writtenMs } = readLines(
    host,
    path,
    known?.position,
    config.maxReadBytes,
    (text, spot) => {
      if (review.lines % 10_000 === 0) signal.throwIfAborted()
      review.add(text, spot)
    },
  )
  if (isLost) checked.skipped++
  if (left > 0) {
    const reason = `${formatBytes(left)} are left for the next run: look more often, or raise maxReadBytes`
    checked.blind.push({ subject: path, reason, rules: LINE_RULES })
  }
  const findings = review.lines > 0 ? review.findings(path) : (known?.findings ?? [])
  checked.findings.push(...findings, ...judgeTimes(path, settings, review.state, writtenMs, now.getTime()))
  checked.memory[path] = {
    position,
    state: review.state,
    findings: findings.map((one) => findingSchema.parse(one)),
  }
}

function missing({ path, service }: LogSettings): Finding {
  return {
    rule: 'log-missing',
    subject: path,
    severity: 'warning',
    summary: `There is no log ${path}${service === undefined ? '' : ` of ${service}`}`,
    remedy:
      'See whether the service runs and where it writes its log; correct the path, or set `missing: inapplicable`',
  }
}

function tooLarge(path: string, size: number, maxBytes: number): Finding {
  return {
    rule: 'log-too-large',
    subject: path,
    severity: 'warning',
    summary: `${path} has ${formatBytes(size)}, wanted at most ${formatBytes(maxBytes)}`,
    remedy: 'Have it rotated by size: "maxsize" in its block of logrotate, or `size` in a log-rotation job',
    evidence: { path, bytes: size },
  }
}
