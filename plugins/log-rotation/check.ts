import type { CheckContext, Fact, Finding, Metric, Report } from '../../agent/contract/mod.ts'
import { type Config, directoryOf, type LogSet } from './config.ts'
import { planFindings, pressureFindings, quotaFindings, settleFindings, surveyFindings } from './findings.ts'
import { sameFile } from './generation.ts'
import { type Memory, readMemory, rememberSizes } from './growth.ts'
import { planLogs, planQuotas } from './plans.ts'
import { judgeRecords } from './records/judge.ts'
import { Records } from './records/records.ts'
import { rememberSpaces, spaceFindings, spaceMetrics, surveySpaces } from './space.ts'
import { keepClocks, pendingSets, readState, type State, writeState } from './state.ts'
import { type SurveyedLog, survey } from './survey.ts'

export async function checkLogs(ctx: CheckContext<Config>): Promise<Report> {
  const state = readState(ctx.state, ctx.stateDir)
  const records = Records.read(ctx.state, ctx.stateDir)
  const found = survey(ctx.host, ctx.config.sets, pendingSets(state))
  const now = ctx.now.getTime()
  const paths = found.logs.filter((log) => log.stat).map((log) => log.path)
  if (keepClocks(state, paths, now)) writeState(ctx.state, ctx.stateDir, state)

  const adopted =
    ctx.config.logrotate.length > 0
      ? (await import('./adopted/check.ts')).checkAdopted(ctx, records)
      : undefined
  const plans = planLogs(ctx.host, ctx.config, found.logs, state, now)
  const present = [...found.logs, ...(adopted?.logs ?? [])].flatMap(({ path, stat }) =>
    stat ? [{ path, ino: stat.ino, size: stat.size }] : [],
  )
  const before = readMemory(ctx.memory)
  const spaces = surveySpaces(ctx.host, new Set(present.map(({ path }) => directoryOf(path))))
  const memory: Memory = {
    version: 1,
    logs: rememberSizes(before.logs, present, now),
    spaces: rememberSpaces(before.spaces, spaces, now),
  }
  return {
    findings: [
      ...surveyFindings(found),
      ...plans.flatMap(planFindings),
      ...quotaFindings(planQuotas(plans, ctx.config, now)),
      ...pressureFindings(ctx.host, plans, ctx.config, now),
      ...settleFindings(ctx.config.sets, state),
      ...found.logs.flatMap((log) => recordFindings(log, state, records, now)),
      ...(adopted?.findings ?? []),
      ...spaceFindings(spaces, memory, ctx.config.fullWithin, now),
    ],
    blind: [...found.blind, ...(adopted?.blind ?? [])],
    facts: [...found.logs.map((log) => factOf(log, state)), ...(adopted?.facts ?? [])],
    metrics: [
      ...ctx.config.sets.flatMap((set) => metricsOf(set, found.logs, state)),
      ...spaceMetrics(spaces, memory, now),
    ],
    memory,
    coverage: { examined: found.logs.length + (adopted?.logs.length ?? 0), skipped: 0 },
  }
}

/** What is still in work is not proven yet. */
function recordFindings(log: SurveyedLog, state: State, records: Records, now: number): Finding[] {
  const pending = state.pending[log.path]
  const files = log.generations.map(({ path, stat }) => ({ path, ...stat }))
  const settled = files.filter((file) => !pending || !sameFile(file, pending))
  const { keep, maxAge } = log.set
  return judgeRecords(log.path, settled, records.ofLog(log.path), { keep, maxAgeMs: maxAge }, now)
}

function factOf(log: SurveyedLog, state: State): Fact {
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

function metricsOf(set: LogSet, all: SurveyedLog[], state: State): Metric[] {
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
