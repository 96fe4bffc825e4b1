import type { CheckContext, Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { judgeCheck, type ProgramState } from './judge.ts'
import { toMetrics } from './metrics.ts'
import { parseOutput } from './output.ts'
import { runProgram } from './program.ts'

const STATES: Record<ProgramState, number> = { ok: 0, warning: 1, critical: 2, unknown: 3 }

/** Runs a Nagios plugin and reports what it says. */
export async function checkProgram(ctx: CheckContext<Config>): Promise<Report> {
  const { argv, timeout } = ctx.config
  const subject = ctx.config.subject ?? ctx.job
  const result = await runProgram(ctx)
  const output = parseOutput(result.stdout, result.truncated)
  const { state, summary, finding, blind } = judgeCheck(subject, argv, result, output, timeout)
  if (output.perfdata.rejected.length > 0) {
    ctx.log.warn('cannot read all performance data', {
      subject,
      rejected: output.perfdata.rejected.slice(0, 10),
    })
  }
  return {
    findings: finding ? [finding] : [],
    blind: blind ? [blind] : [],
    facts: [
      { kind: 'command', subject, data: { program: argv[0], state, exitCode: result.exitCode, summary } },
    ],
    metrics: [
      {
        name: 'command_state',
        value: STATES[state],
        labels: { subject },
        help: 'What the program said: 0 OK, 1 warning, 2 critical, 3 unknown',
      },
      // Numbers of a program that gave no answer are no answer either.
      ...(state === 'unknown' ? [] : toMetrics(subject, output.perfdata)),
    ],
    coverage: { examined: 1, skipped: 0 },
  }
}
