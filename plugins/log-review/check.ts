import { type Blind, type CheckContext, type Inapplicable, type Report, z } from '../../agent/contract/mod.ts'
import { checkFailures, checkLogins } from './check-failures.ts'
import { checkKeeping } from './check-keeping.ts'
import { checkLines, logMemorySchema } from './check-lines.ts'
import type { Config } from './config.ts'
import { type Asked, RETENTION_RULES, RULES_OF_LOGS, type RuleId, rulesOfLog } from './rules.ts'

const memorySchema = z.object({ logs: z.record(z.string(), logMemorySchema) })

export async function reviewLogs(ctx: CheckContext<Config>): Promise<Report> {
  // Of another version, or of none: logs are read as if for the first time.
  const known = memorySchema.safeParse(ctx.memory).data?.logs ?? {}
  const lines = checkLines(ctx, known)
  const logins = await checkLogins(ctx)
  const failures = await checkFailures(ctx)
  const keeping = await checkKeeping(ctx, lines.paths)
  const ofLogs = settle(
    RULES_OF_LOGS,
    ctx.config.logs.map((one) => ({
      subject: one.path,
      rules: rulesOfLog(one),
      isThere: !lines.absent.includes(one),
    })),
    'no log of the job asks for it',
  )
  const ofPolicies = settle(
    RETENTION_RULES,
    keeping.asked,
    'no policy of the job asks for it of a log that is here and that no job of reeve rotates',
  )
  return {
    findings: [lines, logins, failures, keeping].flatMap(({ findings }) => findings),
    blind: [lines, logins, failures, keeping, ofLogs, ofPolicies].flatMap(({ blind }) => blind),
    inapplicable: [
      ...[logins, failures, ofLogs, ofPolicies].flatMap(({ inapplicable }) => inapplicable),
      ...[...keeping.idle].map(([rule, reason]) => ({ rule, reason })),
    ],
    metrics: [...logins.metrics, ...failures.metrics],
    coverage: {
      examined: lines.paths.size + logins.examined + failures.examined + keeping.examined,
      skipped: lines.skipped + keeping.skipped,
    },
    memory: { logs: lines.memory },
  }
}

/**
 * A rule does not apply when nothing asks for it, or nothing of what does is there. Where something else asks for it,
 * what is not there is dark: it must not pass with the other.
 */
function settle(
  rules: RuleId[],
  asked: Asked[],
  unasked: string,
): { blind: Blind[]; inapplicable: Inapplicable[] } {
  const present = new Set(asked.filter(({ isThere }) => isThere).flatMap((one) => one.rules))
  const absent = asked.filter(({ isThere }) => !isThere)
  const inapplicable = rules
    .filter((rule) => !present.has(rule))
    .map((rule): Inapplicable => {
      const gone = absent.filter((one) => one.rules.includes(rule)).map(({ subject }) => subject)
      return { rule, reason: gone.length > 0 ? `there is no ${gone.join(', ').slice(0, 900)}` : unasked }
    })
  const blind = absent.flatMap(({ subject, rules: own }) => {
    const dark = own.filter((rule) => present.has(rule))
    return dark.length > 0 ? [{ subject, reason: 'there is no such log', rules: dark }] : []
  })
  return { blind, inapplicable }
}
