import {
  type ApplyContext,
  type CheckContext,
  type Finding,
  formatDuration,
  type Json,
  type Report,
  z,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { commandLine, judgeAction } from './judge.ts'
import { excerpt, parseOutput } from './output.ts'
import { runProgram } from './program.ts'

/** Kept in the memory of the job: how the action went the last time. */
const memorySchema = z.strictObject({
  /** `now` of the run that did it: the check after it in the same run knows it by that. */
  ranMs: z.number(),
  succeededMs: z.number().nullable(),
  exitCode: z.number().nullable(),
  failure: z.string().nullable(),
  output: z.string(),
})
export type ActionMemory = z.output<typeof memorySchema>

const OUTPUT_CHARACTERS = 4096

/** An action is due once in every run of its job, or when its last success is `every` ago. Pure. */
export function judgeDue(
  every: number | undefined,
  memory: ActionMemory | undefined,
  nowMs: number,
): string | undefined {
  if (!memory) return 'it has never run'
  if (memory.ranMs === nowMs) return undefined
  if (every === undefined) return 'it runs at every run of the job'
  if (memory.succeededMs === null) return 'it has never succeeded'
  const elapsed = nowMs - memory.succeededMs
  // A clock that was set back must not put it off.
  if (elapsed >= 0 && elapsed < every) return undefined
  return `its last success was ${formatDuration(Math.abs(elapsed))} ${elapsed < 0 ? 'ahead' : 'ago'}`
}

export function checkAction(ctx: CheckContext<Config>): Report {
  const { config } = ctx
  const subject = config.subject ?? ctx.job
  const memory = readMemory(ctx.memory)
  const findings: Finding[] = []
  if (memory?.failure) {
    findings.push({
      rule: 'action-failed',
      subject,
      severity: 'warning',
      summary: `${config.argv[0]} ${memory.failure}`.slice(0, 2000),
      remedy: `Correct the cause; the next run tries again. By hand: ${commandLine(config.argv)}`,
      evidence: { exitCode: memory.exitCode, output: memory.output },
    })
  }
  const due = judgeDue(config.every, memory, ctx.now.getTime())
  if (due) {
    findings.push({
      rule: 'action-due',
      subject,
      severity: 'info',
      summary: `${config.argv[0]} is to be run: ${due}`,
      remedy: 'Let the job run with "mode: enforce"',
      fixable: true,
    })
  }
  return {
    findings,
    facts: memory
      ? [
          {
            kind: 'action',
            subject,
            data: {
              program: config.argv[0],
              lastRun: new Date(memory.ranMs).toISOString(),
              lastSuccess: memory.succeededMs === null ? null : new Date(memory.succeededMs).toISOString(),
              exitCode: memory.exitCode,
            },
          },
        ]
      : [],
    metrics:
      typeof memory?.succeededMs === 'number'
        ? [
            {
              name: 'command_last_success_timestamp_seconds',
              value: memory.succeededMs / 1000,
              labels: { subject },
              help: 'When the action succeeded last',
            },
          ]
        : [],
    coverage: { examined: 1, skipped: 0 },
  }
}

/** Runs the action if the check asked for it. How it went is told by the check that follows, from the memory. */
export async function applyAction(ctx: ApplyContext<Config>): Promise<Report> {
  if (!ctx.findings.some(({ rule }) => rule === 'action-due')) return { findings: [] }
  const before = readMemory(ctx.memory)
  const result = await runProgram(ctx)
  const failure = judgeAction(result, parseOutput(result.stdout, result.truncated), ctx.config.timeout)
  const ranMs = ctx.now.getTime()
  const memory: ActionMemory = {
    ranMs,
    succeededMs: failure ? (before?.succeededMs ?? null) : ranMs,
    exitCode: result.exitCode,
    failure: failure ?? null,
    output: excerpt(`${result.stdout}\n${result.stderr}`, OUTPUT_CHARACTERS),
  }
  return { findings: [], memory }
}

/** Undefined before the first run, and for the memory of another kind of job under the same name. */
function readMemory(memory: Json | undefined): ActionMemory | undefined {
  return memorySchema.safeParse(memory).data
}
