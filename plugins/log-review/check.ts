import { type Blind, type CheckContext, type Inapplicable, type Report, z } from '../../agent/contract/mod.ts'
import { checkFailures, checkLogins } from './check-failures.ts'
import { checkKeeping } from './check-keeping.ts'
import { checkLines, type LinesChecked, logMemorySchema } from './check-lines.ts'
import type { Config, LogSettings } from './config.ts'
import type { RuleId } from './rules.ts'

const memorySchema = z.object({ logs: z.record(z.string(), logMemorySchema) })

export async function reviewLogs(ctx: CheckContext<Config>): Promise<Report> {
  // Of another version, or of none: logs are read as if for the first time.
  const known = memorySchema.safeParse(ctx.memory).data?.logs ?? {}
  const lines = checkLines(ctx, known)
  const logins = await checkLogins(ctx)
  const failures = await checkFailures(ctx)
  const keeping = await checkKeeping(ctx, Object.keys(lines.memory))
  const ofLines = settleLines(ctx.config, lines)
  return {
    findings: [lines, logins, failures, keeping].flatMap(({ findings }) => findings),
    blind: [...[lines, logins, failures, keeping].flatMap(({ blind }) => blind), ...ofLines.blind],
    inapplicable: [
      ...logins.inapplicable,
      ...failures.inapplicable,
      ...ofLines.inapplicable,
      ...[...keeping.idle].map(([rule, reason]) => ({ rule, reason })),
    ],
    metrics: [...logins.metrics, ...failures.metrics],
    coverage: { examined: lines.examined + logins.examined + failures.examined + 1, skipped: lines.skipped },
    memory: { logs: lines.memory },
  }
}

/** The rules that a log with these settings can break. */
function rulesOf(settings: LogSettings): RuleId[] {
  return [
    ...(settings.missing === 'finding' ? (['log-missing'] as const) : []),
    ...(settings.writtenWithin === undefined ? [] : (['log-not-growing'] as const)),
    ...(settings.maxGap === undefined ? [] : (['log-gap'] as const)),
    ...(settings.times || settings.format === 'json' ? (['log-unparsable'] as const) : []),
    ...(settings.times ? (['log-disorder'] as const) : []),
    ...(settings.fields.length > 0 ? (['audit-log-unusable'] as const) : []),
    ...(settings.maxBytes === undefined ? [] : (['log-too-large'] as const)),
  ]
}

const RULES_OF_LOGS: RuleId[] = [
  'log-missing',
  'log-not-growing',
  'log-gap',
  'log-unparsable',
  'log-disorder',
  'audit-log-unusable',
  'log-too-large',
]

/**
 * A rule does not apply when no log asks for it, or none of those that do is there. Where another log asks for it, the
 * one that is not there is dark: it must not pass with the other.
 */
function settleLines(
  { logs }: Config,
  { absent }: LinesChecked,
): { blind: Blind[]; inapplicable: Inapplicable[] } {
  const present = new Set(logs.filter((one) => !absent.includes(one)).flatMap(rulesOf))
  const asked = new Set(logs.flatMap(rulesOf))
  const gone = absent
    .map(({ path }) => path)
    .join(', ')
    .slice(0, 900)
  const inapplicable: Inapplicable[] = RULES_OF_LOGS.filter((rule) => !present.has(rule)).map((rule) => ({
    rule,
    reason: asked.has(rule) ? `there is no ${gone}` : 'no log of the job asks for it',
  }))
  const blind = absent.flatMap((settings) => {
    const rules = rulesOf(settings).filter((rule) => present.has(rule))
    return rules.length > 0 ? [{ subject: settings.path, reason: 'there is no such log', rules }] : []
  })
  return { blind, inapplicable }
}
