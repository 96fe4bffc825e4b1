import type { CheckContext, Finding, Report } from '../../agent/contract/mod.ts'
import { type Config, directoryOf } from './config.ts'
import { factOf, metricsOf } from './facts.ts'
import { planFindings, pressureFindings, quotaFindings, settleFindings, surveyFindings } from './findings.ts'
import { sameFile } from './generation.ts'
import { type Memory, readMemory, rememberSizes, type SeenLog } from './growth.ts'
import { lookAround } from './oversight/look-around.ts'
import { oversee } from './oversight/oversee.ts'
import { planLogs, planQuotas } from './plans.ts'
import { judgeRecords } from './records/judge.ts'
import { Records } from './records/records.ts'
import { rememberSpaces, type Space, spaceFindings, spaceMetrics, surveySpaces } from './space.ts'
import { keepClocks, pendingSets, readState, type State, writeState } from './state.ts'
import { type SurveyedLog, survey } from './survey.ts'

export async function checkLogs(ctx: CheckContext<Config>): Promise<Report> {
  const { host, config } = ctx
  const state = readState(ctx.state, ctx.stateDir)
  const records = Records.read(ctx.state, ctx.stateDir)
  const found = survey(host, config.sets, pendingSets(state))
  const now = ctx.now.getTime()
  const paths = found.logs.filter((log) => log.stat).map((log) => log.path)
  if (keepClocks(state, paths, now)) writeState(ctx.state, ctx.stateDir, state)

  const adopted =
    config.logrotate.length > 0 ? (await import('./adopted/check.ts')).checkAdopted(ctx, records) : undefined
  const plans = planLogs(host, config, found.logs, state, now)
  const around = await lookAround(ctx, found, adopted?.paths ?? [])
  const logs = [...found.logs, ...(adopted?.logs ?? [])]
  const present = logs.flatMap(({ path, stat }) => (stat ? [{ path, ino: stat.ino, size: stat.size }] : []))
  const spaces = surveySpaces(host, new Set(present.map(({ path }) => directoryOf(path))))
  const memory = remember(readMemory(ctx.memory), [...present, ...around.unmanaged], spaces, now)
  const { unmanaged } = around
  const overseen = await oversee(ctx, { found, adopted: adopted?.logs ?? [], unmanaged, memory })
  return {
    findings: [
      ...surveyFindings(found),
      ...plans.flatMap(planFindings),
      ...quotaFindings(planQuotas(plans, config, now)),
      ...pressureFindings(host, plans, adopted?.families ?? [], config, now),
      ...settleFindings(config.sets, state),
      ...found.logs.flatMap((log) => recordFindings(log, state, records, now)),
      ...(adopted?.findings ?? []),
      ...around.findings,
      ...overseen.findings,
      ...spaceFindings(spaces, memory, config.fullWithin, now),
    ],
    blind: [...found.blind, ...(adopted?.blind ?? []), ...around.blind, ...overseen.blind],
    facts: [...found.logs.map((log) => factOf(log, state)), ...(adopted?.facts ?? [])],
    metrics: [
      ...config.sets.flatMap((set) => metricsOf(set, found.logs, state)),
      ...spaceMetrics(spaces, memory, now),
    ],
    memory,
    coverage: { examined: logs.length + around.examined, skipped: 0 },
  }
}

function remember(before: Memory, seen: SeenLog[], spaces: Space[], now: number): Memory {
  return {
    version: 1,
    logs: rememberSizes(before.logs, seen, now),
    spaces: rememberSpaces(before.spaces, spaces, now),
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
