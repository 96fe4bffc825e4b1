import { describeError, type HostDirectory } from '../../agent/contract/mod.ts'
import { generationPath, type Leftover, planShifts, planUnlinks, sameFile } from './generation.ts'
import { isCopied, judgeRename } from './plan.ts'
import { createMissing, finishRename, recordRotation } from './rotate.ts'
import type { Session } from './session.ts'
import type { SurveyedLog } from './survey.ts'
import { beginsWith } from './truncate.ts'

/**
 * Completes or undoes what a cut-off run left. Each step leaves a state that this function understands again,
 * so it may itself be cut off anywhere.
 */
export function recover(session: Session): void {
  const now = session.ctx.now.getTime()
  const asked = session
    .plans(now)
    .filter(({ log, unfinished }) => unfinished && session.wants('rotation-unfinished', log.path))
  if (asked.length === 0) return
  for (const { log } of asked) {
    attempt(session, log, (directory) => {
      for (const { path } of planUnlinks(log.generations)) directory.remove(path)
      for (const leftover of log.leftovers) clearLeftover(session, directory, log, leftover)
    })
  }
  const paths = new Set(asked.map(({ log }) => log.path))
  for (const { log, refusal } of session.plans(now)) {
    if (!paths.has(log.path) || refusal) continue
    attempt(session, log, (directory) => finish(session, directory, log))
  }
  session.saveState()
}

function attempt(session: Session, log: SurveyedLog, action: (directory: HostDirectory) => void): void {
  session.ctx.signal.throwIfAborted()
  try {
    action(session.directory(log.directory))
  } catch (error) {
    session.fail(
      'rotation-failed',
      log.path,
      `The cut-off rotation of ${log.path} could not be completed: ${describeError(error)}`,
      'Correct the cause; the next run tries again',
    )
  }
}

function clearLeftover(
  session: Session,
  directory: HostDirectory,
  log: SurveyedLog,
  leftover: Leftover,
): void {
  const hasItsName = log.generations.some((generation) => sameFile(generation.stat, leftover.stat))
  const undone = leftover.kind !== 'copy' || (!hasItsName && beginsWith(directory, log.path, leftover.path))
  if (undone || hasItsName) directory.remove(leftover.path)
  else {
    // The log was truncated after the copy was made: the copy is the generation, and only lacks its name.
    const present = log.generations.filter((generation) => directory.stat(generation.path))
    for (const { from, to } of planShifts(log.path, present)) directory.rename(from, to)
    directory.rename(leftover.path, generationPath(log.path, 1))
  }
  if (!undone) recordRotation(session, log, session.ctx.now.getTime())
}

function finish(session: Session, directory: HostDirectory, log: SurveyedLog): void {
  session.touched.add(log.path)
  const pending = session.state.pending[log.path]
  if (pending?.phase === 'copy') {
    if (isCopied(log, pending)) recordRotation(session, log, pending.startedMs)
    return
  }
  const identity = pending?.phase === 'rename' ? pending : log.stat
  if (!identity) return
  const progress = judgeRename(log, identity)
  if (progress === 'not-begun') return
  if (progress === 'linked') finishRename(directory, log)
  else if (!log.stat && log.generations.length > 0) createMissing(directory, log)
  recordRotation(session, log, pending?.startedMs ?? session.ctx.now.getTime())
}
