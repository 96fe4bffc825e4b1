import { type ApplyContext, describeError, formatDuration } from '../../agent/contract/mod.ts'
import type { Config, LogSet } from './config.ts'
import type { Session } from './session.ts'

/** Runs afterRotate, once for each set of which a log waits for it. Its success or failure is durable at once. */
export async function settle(session: Session): Promise<void> {
  for (const set of session.ctx.config.sets) {
    const waiting = Object.entries(session.state.pending).filter(
      ([path, { set: name, phase }]) =>
        name === set.name &&
        phase === 'settle' &&
        (session.touched.has(path) || session.wants('after-rotate-failed', set.name)),
    )
    if (waiting.length === 0) continue
    const failure = set.afterRotate ? await runAfterRotate(session.ctx, set, set.afterRotate) : undefined
    session.lookAgain()
    session.ctx.signal.throwIfAborted()
    if (failure) session.ctx.log.warn('the program after a rotation failed', { set: set.name, failure })
    for (const [path, pending] of waiting) {
      session.state.pending[path] = failure
        ? { ...pending, failure }
        : { ...pending, phase: 'prove', failure: null }
      if (!failure) session.touched.add(path)
    }
    session.saveState()
  }
}

const KEPT_OUTPUT = 300

/** How it failed, undefined when it did not. */
async function runAfterRotate(
  ctx: ApplyContext<Config>,
  set: LogSet,
  argv: [string, ...string[]],
): Promise<string | undefined> {
  const names = set.afterRotatePermissions?.env ?? []
  const env = Object.fromEntries(
    names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  )
  try {
    const result = await ctx.host.run(argv, {
      env,
      timeout: set.afterRotateTimeout,
      signal: ctx.signal,
      maxBytes: 16_384,
    })
    if (result.exitCode === 0) return undefined
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-KEPT_OUTPUT)
    return `${howItEnded(result, set.afterRotateTimeout)}${said ? `: ${said}` : ''}`
  } catch (error) {
    return describeError(error)
  }
}

function howItEnded(
  result: { exitCode: number | null; signal: string | null; timedOut: boolean },
  timeoutMs: number,
): string {
  if (result.timedOut) return `it took longer than ${formatDuration(timeoutMs)} and was killed`
  return result.signal ? `it was ended by ${result.signal}` : `it ended with exit code ${result.exitCode}`
}
