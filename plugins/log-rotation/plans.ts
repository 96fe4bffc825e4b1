import type { HostReader } from '../../agent/contract/mod.ts'
import { type Config, type LogSet, timeZoneOf } from './config.ts'
import { keepAtLeast } from './oversight/retention-policy.ts'
import { type LogPlan, planLog } from './plan.ts'
import { Pressure } from './pressure.ts'
import { type Family, planQuota, type Removal } from './removal.ts'
import type { State } from './state.ts'
import type { SurveyedLog } from './survey.ts'

/** The plans of all logs, with the room that there is now. */
export function planLogs(
  host: HostReader,
  config: Config,
  logs: SurveyedLog[],
  state: State,
  now: number,
): LogPlan[] {
  const pressure = new Pressure(host)
  const timeZone = timeZoneOf(config)
  return logs.map((log) => {
    const limit = log.set.whenFreeBelow ?? config.whenFreeBelow
    return planLog(log, state, now, timeZone, pressure.on(log.directory, limit))
  })
}

/** The generations of logs that nothing else removes already. */
export function familiesOf(plans: LogPlan[], { retention }: Config): Family[] {
  return plans.map(({ log, settled, expired }) => {
    const going = new Set(expired.map(({ generation }) => generation))
    return {
      log: log.path,
      generations: settled
        .filter((generation) => !going.has(generation))
        .map(({ path, stat }) => ({ path, ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs })),
      keepYoungerThanMs: keepAtLeast(retention, log.path),
    }
  })
}

export interface QuotaPlan {
  set: LogSet
  limitBytes: number
  removals: Removal[]
  leftBytes: number
}

/** What has to go because a set has become too large. Pure. */
export function planQuotas(plans: LogPlan[], config: Config, now: number): QuotaPlan[] {
  return config.sets.flatMap((set): QuotaPlan[] => {
    if (set.maxTotalSize === undefined) return []
    const own = plans.filter(({ log }) => log.set === set)
    const families = familiesOf(own, config)
    const archived = families.flatMap(({ generations }) => generations)
    const totalBytes =
      own.reduce((sum, { log }) => sum + (log.stat?.size ?? 0), 0) +
      archived.reduce((sum, { size }) => sum + size, 0)
    return [{ set, limitBytes: set.maxTotalSize, ...planQuota(families, totalBytes, set.maxTotalSize, now) }]
  })
}
