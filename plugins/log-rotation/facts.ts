import type { Fact, Metric } from '../../agent/contract/mod.ts'
import type { LogSet } from './config.ts'
import type { State } from './state.ts'
import type { SurveyedLog } from './survey.ts'

/** A log of a set as an item of inventory. */
export function factOf(log: SurveyedLog, state: State): Fact {
  const clock = state.clocks[log.path]
  const oldest = Math.min(...log.generations.map((generation) => generation.stat.mtimeMs))
  return {
    kind: 'log',
    subject: log.path,
    data: {
      set: log.set.name,
      bytes: log.stat?.size ?? null,
      generations: log.generations.length,
      archivedBytes: log.generations.reduce((sum, generation) => sum + generation.stat.size, 0),
      lastRotation: isoTime(clock?.rotatedMs),
      clockSince: isoTime(clock?.sinceMs),
      oldestGeneration: Number.isFinite(oldest) ? isoTime(oldest) : null,
    },
  }
}

function isoTime(timeMs: number | null | undefined): string | null {
  return typeof timeMs === 'number' ? new Date(timeMs).toISOString() : null
}

/** The numbers of a set. */
export function metricsOf(set: LogSet, all: SurveyedLog[], state: State): Metric[] {
  const logs = all.filter((log) => log.set === set)
  const labels = { set: set.name }
  const sizes = logs.map((log) => log.stat?.size ?? 0)
  const generations = logs.flatMap((log) => log.generations)
  const rotations = logs.flatMap((log) => state.clocks[log.path]?.rotatedMs ?? [])
  const metrics: Metric[] = [
    { name: 'logs', value: logs.length, labels, help: 'Logs of the set' },
    { name: 'logs_bytes', value: sum(sizes), labels, help: 'Size of the logs, without their generations' },
    { name: 'logs_largest_bytes', value: Math.max(0, ...sizes), labels, help: 'Size of the largest log' },
    { name: 'logs_generations', value: generations.length, labels, help: 'Rotated logs that are kept' },
    {
      name: 'logs_archived_bytes',
      value: sum(generations.map((generation) => generation.stat.size)),
      labels,
      help: 'Size of the rotated logs that are kept',
    },
  ]
  if (rotations.length > 0) {
    metrics.push({
      name: 'logs_last_rotation_timestamp_seconds',
      value: Math.max(...rotations) / 1000,
      labels,
      help: 'When a log of the set was rotated last',
    })
  }
  return metrics
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
