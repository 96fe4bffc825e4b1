import type { ApplyContext, CheckContext, RunResult } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'

/** Kept of each of its streams; the middle of what is longer is cut out. */
const MAX_BYTES = 262_144

/** Runs the program of the job. Throws when it cannot be started, or the run is ended meanwhile. */
export async function runProgram(
  ctx: Pick<
    CheckContext<Config> | ApplyContext<Config>,
    'config' | 'host' | 'signal' | 'secret' | 'stateDir'
  >,
): Promise<RunResult> {
  const { argv, timeout } = ctx.config
  const result = await ctx.host.run(argv, {
    env: environmentOf(ctx),
    timeout,
    signal: ctx.signal,
    maxBytes: MAX_BYTES,
  })
  ctx.signal.throwIfAborted()
  return result
}

function environmentOf({
  config,
  secret,
  stateDir,
}: Pick<CheckContext<Config>, 'config' | 'secret' | 'stateDir'>): Record<string, string> {
  const inherited = (config.permissions.env ?? []).flatMap((name): [string, string][] => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  const secrets = Object.entries(config.secretEnvironment).map(([name, reference]) => [
    name,
    secret(reference),
  ])
  return {
    // The one place that it may always write to: many programs want some.
    TMPDIR: stateDir,
    ...Object.fromEntries(inherited),
    ...config.environment,
    ...Object.fromEntries(secrets),
  }
}
