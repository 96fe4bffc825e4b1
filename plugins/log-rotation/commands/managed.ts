import {
  type Blind,
  type CommandContext,
  type FileStat,
  isWithin,
  UserError,
} from '../../../agent/contract/mod.ts'
import { type Config, timeZoneOf } from '../config.ts'
import { growthPerDay, readMemory } from '../growth.ts'
import { type NextRotation, nextOfBlock, nextOfSet } from '../next.ts'
import type { KeptFile, Retention } from '../records/judge.ts'
import { findRecord, type GenerationRecord, Records } from '../records/records.ts'
import { pendingSets, readState } from '../state.ts'
import { survey } from '../survey.ts'

/** A log that the job rotates, as it is now. */
export interface ManagedLog {
  path: string
  /** Set, or pattern of a block of logrotate. */
  set: string
  by: 'reeve' | 'logrotate'
  stat: FileStat | undefined
  generations: KeptFile[]
  records: GenerationRecord[]
  rotatedMs: number | undefined
  bytesPerDay: number | undefined
  next: NextRotation
  retention: Retention
  nowMs: number
}

/** All that the job of a command looks after, or of it what the arguments name: logs, directories, rotated logs. */
export async function managedLogs(
  ctx: CommandContext<Config>,
): Promise<{ logs: ManagedLog[]; blind: Blind[] }> {
  const config = ctx.config
  if (!config) throw new UserError('No job of the plugin "log-rotation" is configured')
  const records = Records.read(ctx.state, ctx.stateDir)
  const memory = readMemory(ctx.memory)
  const now = ctx.now.getTime()
  const growth = (path: string) => growthPerDay(memory, path, now)
  const state = readState(ctx.state, ctx.stateDir)
  const found = survey(ctx.host, config.sets, pendingSets(state))
  const native = found.logs.map((log): ManagedLog => {
    const clock = state.clocks[log.path]
    const { interval, size, minSize, notIfEmpty } = log.set
    const rule = { interval, size, minSize, notIfEmpty }
    return {
      path: log.path,
      set: log.set.name,
      by: 'reeve',
      stat: log.stat,
      generations: log.generations.map(({ path, stat }) => ({ path, ...stat })),
      records: records.ofLog(log.path),
      rotatedMs: clock?.rotatedMs ?? undefined,
      bytesPerDay: growth(log.path),
      retention: { keep: log.set.keep, maxAgeMs: log.set.maxAge },
      nowMs: now,
      next: nextOfSet(rule, log.stat?.size ?? 0, clock, growth(log.path), now, timeZoneOf(config)),
    }
  })
  const adopted = await adoptedLogs(ctx, config, records, growth)
  const blind = [...found.blind, ...adopted.blind]
  return { logs: choose([...native, ...adopted.logs], ctx.args.positionals), blind }
}

async function adoptedLogs(
  ctx: CommandContext<Config>,
  config: Config,
  records: Records,
  growth: (path: string) => number | undefined,
): Promise<{ logs: ManagedLog[]; blind: Blind[] }> {
  if (config.logrotate.length === 0) return { logs: [], blind: [] }
  const [{ readAdopted }, { KeptGenerations, retentionOf }, { readTimes }, { firstWords }] =
    await Promise.all([
      import('../adopted/read.ts'),
      import('../adopted/generations.ts'),
      import('../adopted/state.ts'),
      import('../adopted/judge.ts'),
    ])
  const { sets, blind } = readAdopted(ctx.host, config, true)
  const { times } = readTimes(ctx.state, ctx.stateDir, ctx.host, config.logrotateState)
  const kept = new KeptGenerations(ctx.host)
  const logs = sets.flatMap((set) =>
    set.files.flatMap((path): ManagedLog[] => {
      const stat = ctx.host.stat(path)
      const generations = kept.of(path, set.settings, ctx.now)
      if (!stat && generations.length === 0) return []
      const rotatedAt = times.get(path)
      const size = stat?.size ?? 0
      const modified = stat?.mtimeMs ?? 0
      return [
        {
          path,
          set: firstWords(set.pattern),
          by: 'logrotate',
          stat,
          generations,
          records: records.ofLog(path),
          rotatedMs: rotatedAt?.getTime(),
          bytesPerDay: growth(path),
          retention: retentionOf(set.settings),
          nowMs: ctx.now.getTime(),
          next: nextOfBlock(
            set.settings,
            size,
            modified,
            rotatedAt ?? ctx.now,
            growth(path),
            ctx.now.getTime(),
          ),
        },
      ]
    }),
  )
  return { logs, blind }
}

function choose(logs: ManagedLog[], wanted: string[]): ManagedLog[] {
  if (wanted.length === 0) return logs
  const matches = (path: string, { path: log, generations }: ManagedLog) =>
    isWithin(path, log) || generations.some((file) => file.path === path)
  for (const path of wanted) {
    if (logs.some((log) => matches(path, log))) continue
    throw new UserError(`Cannot find "${path}": no log of this job has that name or lies below it`)
  }
  return logs.filter((log) => wanted.some((path) => matches(path, log)))
}

/** The newest proof of what is kept of a log. */
export function lastProof({ generations, records }: ManagedLog): GenerationRecord | undefined {
  const kept = generations.flatMap((file) => findRecord(records, file) ?? [])
  return kept.toSorted((a, b) => b.rotatedMs - a.rotatedMs)[0]
}
