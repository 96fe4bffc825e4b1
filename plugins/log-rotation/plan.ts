import { type DueRule, judgeDue } from './due.ts'
import { type Generation, planCompression, planRetention, planUnlinks, sameFile } from './generation.ts'
import { PRESSED_BYTES } from './pressure.ts'
import type { Pending, State } from './state.ts'
import type { SurveyedLog } from './survey.ts'

/** What is to be done about one log. Made by check for its findings, and by apply again before each step. */
export interface LogPlan {
  log: SurveyedLog
  /** Why nothing may be done. */
  refusal: { rule: 'log-unsafe' | 'name-collision'; reason: string } | undefined
  /** What a cut-off run left; everything else has to wait for it. */
  unfinished: string | undefined
  /** afterRotate failed for this log, and has to succeed before its newest generation is touched. */
  failure: string | undefined
  /** Why the log has to be rotated. */
  due: string | undefined
  compress: Generation[]
  /** Generations with which nothing is under way. */
  settled: Generation[]
  /** Why the file system is short of room. */
  pressure: string | undefined
  /** Its newest generation is still open for writing. */
  held: boolean
  expired: { generation: Generation; reason: 'keep' | 'maxAge' }[]
}

/** How far the rename of a log came that was the file `identity`. */
export function judgeRename(
  log: Pick<SurveyedLog, 'stat' | 'generations'>,
  identity: Pick<Pending, 'dev' | 'ino'>,
): 'not-begun' | 'linked' | 'renamed' {
  if (!log.stat || !sameFile(log.stat, identity)) return 'renamed'
  return log.generations.some((generation) => sameFile(generation.stat, identity)) ? 'linked' : 'not-begun'
}

/** Whether the copy of a log came as far as its final name: then the newest generation is not the one before. */
export function isCopied(
  log: Pick<SurveyedLog, 'generations'>,
  before: Pick<Pending, 'dev' | 'ino'>,
): boolean {
  return log.generations.some(({ index, stat }) => index === 1 && !sameFile(stat, before))
}

/** Pure: what the host, the state and the configuration together ask for. */
export function planLog(
  log: SurveyedLog,
  state: State,
  now: number,
  timeZone: string,
  pressure?: string,
): LogPlan {
  const plan: LogPlan = {
    log,
    refusal: undefined,
    unfinished: undefined,
    failure: undefined,
    due: undefined,
    compress: [],
    settled: [],
    pressure,
    held: false,
    expired: [],
  }
  if (log.unsafe) plan.refusal = { rule: 'log-unsafe', reason: log.unsafe }
  else if (log.obstacle) {
    plan.refusal = { rule: 'name-collision', reason: `"${log.obstacle}" is in the way and is no file` }
  }
  if (plan.refusal) return plan
  const pending = state.pending[log.path]
  plan.unfinished = describeUnfinished(log, pending)
  if (plan.unfinished) return plan

  plan.failure = pending?.failure ?? undefined
  const clock = state.clocks[log.path]
  plan.settled = log.generations.filter(
    ({ stat }) => !pending || pending.phase === 'copy' || !sameFile(stat, pending),
  )
  plan.held = pending?.phase === 'held'
  const { compress, delayCompress } = log.set
  plan.compress = planCompression(plan.settled, { compress, delayCompress: delayCompress && !pressure })
  plan.expired = planRetention(log.generations, log.set, now).filter(({ generation }) =>
    plan.settled.includes(generation),
  )
  if (log.stat && !plan.failure && !plan.held) {
    plan.due = judgeDue(dueRule(log), log.stat.size, clock, now, timeZone)
    // Only what becomes smaller by it makes room.
    const isWorthIt = log.stat.size >= PRESSED_BYTES && compress !== 'none'
    if (pressure && isWorthIt) plan.due ??= pressure
  }
  return plan
}

function dueRule({ set }: SurveyedLog): DueRule {
  return { interval: set.interval, size: set.size, minSize: set.minSize, notIfEmpty: set.notIfEmpty }
}

function describeUnfinished(log: SurveyedLog, pending: Pending | undefined): string | undefined {
  if (log.leftovers.length > 0) return 'a temporary file of a run that was cut off is left'
  if (planUnlinks(log.generations).length > 0) return 'a generation was cut off while it was renamed'
  if (log.stat && judgeRename(log, log.stat) === 'linked') return 'it has the name of its generation, too'
  if (!pending || pending.failure !== null) return undefined
  if (pending.phase === 'rename') {
    return judgeRename(log, pending) === 'renamed'
      ? 'it was renamed, and nothing after that was done'
      : undefined
  }
  if (pending.phase === 'copy') {
    return isCopied(log, pending) ? 'it was copied and truncated, and nothing after that was done' : undefined
  }
  if (pending.phase === 'settle') return 'its writer was not told yet to reopen it'
  return pending.phase === 'prove' ? 'its generation is not proven yet' : undefined
}
