import type { Blind, CheckContext, Finding } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { SeenLog } from '../growth.ts'
import type { Survey } from '../survey.ts'
import { findUnmanaged } from './unmanaged.ts'

export interface Around {
  /** Logs that no rule covers. */
  unmanaged: SeenLog[]
  findings: Finding[]
  blind: Blind[]
  examined: number
}

/** What lies beside the logs of this job: those of nobody, and those that logrotate rotates as well. */
export async function lookAround(
  ctx: CheckContext<Config>,
  found: Survey,
  adopted: string[],
): Promise<Around> {
  const { config, host, signal } = ctx
  if (!config.unmanaged) return { unmanaged: [], findings: [], blind: [], examined: 0 }
  const [{ readForeign }, { sharedFinding }] = await Promise.all([
    import('../adopted/read.ts'),
    import('../adopted/check.ts'),
  ])
  const foreign = readForeign(host, config)
  const own = found.logs.map(({ path }) => path)
  const managed = new Set([...own, ...adopted, ...foreign.keys()])
  const { logs, blind, examined } = await findUnmanaged(host, config.unmanaged, managed, signal)
  return {
    unmanaged: logs.map(({ path, ino, size }) => ({ path, ino, size })),
    findings: found.logs.flatMap(({ path, set }) => {
      const pattern = foreign.get(path)
      return pattern === undefined ? [] : [sharedFinding(path, set.name, pattern)]
    }),
    blind,
    examined,
  }
}
