import { describeError, errnoOf, type FileSink, type HostDirectory } from '../../agent/contract/mod.ts'
import type { LogSet } from './config.ts'
import { lossFinding } from './findings.ts'
import { generationPath, leftoverPath, planShifts, sameFile } from './generation.ts'
import type { LogPlan } from './plan.ts'
import type { Session } from './session.ts'
import type { Pending } from './state.ts'
import type { SurveyedLog } from './survey.ts'
import { copyAndTruncate } from './truncate.ts'

const FAILED_REMEDY =
  'The log and its generations are as complete as before; correct the cause, the next run tries again'

/** Rotates what is due. Whatever fails is reported and not recorded as done. */
export function rotateDue(session: Session): void {
  const plans = session.plans(session.ctx.now.getTime())
  const due = plans.filter(
    // What the check could not yet ask for, because a cut-off run had to be cleared away first, is due as well.
    ({ log, due }) => due && (session.wants('rotation-due', log.path) || session.touched.has(log.path)),
  )
  rotateByRename(
    session,
    due.filter(({ log }) => log.set.method === 'create'),
  )
  for (const { log } of due.filter((plan) => plan.log.set.method === 'copytruncate')) {
    session.ctx.signal.throwIfAborted()
    rotateByCopy(session, log)
  }
}

/** One at a time: a large log takes long, and each one is recorded as it is done. */
function rotateByCopy(session: Session, log: SurveyedLog): void {
  const startedMs = session.ctx.now.getTime()
  const before = log.generations.find(({ index }) => index === 1)?.stat ?? { dev: 0, ino: 0 }
  session.state.pending[log.path] = intentionOf(log, 'copy', startedMs, before)
  session.saveState()
  let lost = 0
  const copied = attempt(session, log, () => {
    lost = copyAndTruncate(session.directory(log.directory), log, session.ctx.signal)
  })
  if (lost > 0) session.findings.push(lossFinding(log, lost))
  if (copied) recordRotation(session, log, startedMs)
  else delete session.state.pending[log.path]
  session.saveState()
}

function intentionOf(
  log: SurveyedLog,
  phase: Pending['phase'],
  startedMs: number,
  { dev, ino }: { dev: number; ino: number },
): Pending {
  return { set: log.set.name, phase, startedMs, dev, ino, failure: null }
}

/**
 * Renames many logs with a handful of fsyncs: the intention is durable first, then all is renamed, then each
 * directory is synced once, then it is recorded as done. Who comes after a crash tells by the inode of each
 * log how far it came.
 */
function rotateByRename(session: Session, plans: LogPlan[]): void {
  if (plans.length === 0) return
  const startedMs = session.ctx.now.getTime()
  for (const { log } of plans) {
    if (log.stat) session.state.pending[log.path] = intentionOf(log, 'rename', startedMs, log.stat)
  }
  session.saveState()
  const done: SurveyedLog[] = []
  for (const { log } of plans) {
    if (session.ctx.signal.aborted) break
    const renamed = attempt(session, log, () => renameLog(session.directory(log.directory), log))
    if (renamed) done.push(log)
    else delete session.state.pending[log.path]
  }
  for (const directory of new Set(plans.map(({ log }) => log.directory))) {
    session.directory(directory).syncDirectory(directory)
  }
  for (const log of done) recordRotation(session, log, startedMs)
  session.saveState()
  session.ctx.signal.throwIfAborted()
}

function attempt(session: Session, log: SurveyedLog, action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (!session.ctx.signal.aborted) {
      const summary = `${log.path} was not rotated: ${describeError(error)}`
      session.fail('rotation-failed', log.path, summary, FAILED_REMEDY)
    }
    return false
  }
}

/** Keeps that a log was rotated, and what has still to be done for it. */
export function recordRotation(session: Session, log: SurveyedLog, rotatedMs: number): void {
  session.state.clocks[log.path] = { sinceMs: rotatedMs, rotatedMs }
  const newest = session.look(log.directory).stat(generationPath(log.path, 1))
  if (newest) {
    const phase = log.set.afterRotate ? 'settle' : 'prove'
    session.state.pending[log.path] = intentionOf(log, phase, rotatedMs, newest)
  } else delete session.state.pending[log.path]
  session.touched.add(log.path)
  session.ctx.log.info('rotated a log', { log: log.path, method: log.set.method })
}

/**
 * Makes room, gives the log its second name, and puts a new empty log over the first one. The log's name is
 * never missing, and what cannot be done is found out before anything of the log has changed.
 */
function renameLog(directory: HostDirectory, log: SurveyedLog): void {
  assertUnchanged(directory, log)
  for (const { from, to } of planShifts(log.path, log.generations)) {
    directory.rename(from, to, { durable: false })
  }
  const target = generationPath(log.path, 1)
  const sink = createLog(directory, log, true)
  try {
    if (linkWherePossible(directory, log.path, target)) sink.commit({ durable: false })
    else {
      sink.abort()
      renameWithoutLink(directory, log, target)
    }
  } catch (error) {
    const [first, second] = [directory.stat(log.path), directory.stat(target)]
    if (first && second && sameFile(first, second)) directory.remove(target)
    throw error
  } finally {
    sink.abort()
  }
}

/** Where there are no hard links, the log's name is missing for an instant. */
function renameWithoutLink(directory: HostDirectory, log: SurveyedLog, target: string): void {
  const sink = createLog(directory, log, false)
  try {
    directory.rename(log.path, target, { durable: false })
    try {
      sink.commit({ durable: false })
    } catch (error) {
      if (!directory.stat(log.path)) directory.rename(target, log.path)
      throw error
    }
  } finally {
    sink.abort()
  }
}

/** The second half of `renameLog`, for a log that has the name of its generation already. */
export function finishRename(directory: HostDirectory, log: SurveyedLog): void {
  const sink = createLog(directory, log, true)
  try {
    sink.commit()
  } finally {
    sink.abort()
  }
}

/** A new log where there is none any more. A writer that was faster is left alone. */
export function createMissing(directory: HostDirectory, log: SurveyedLog): void {
  const sink = createLog(directory, log, false)
  try {
    sink.commit()
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    sink.abort()
  }
}

function createLog(directory: HostDirectory, log: SurveyedLog, replace: boolean): FileSink {
  const model = log.stat ?? log.generations[0]?.stat
  if (!model) throw new Error(`Cannot create "${log.path}": neither it nor a generation of it is there`)
  return directory.create(log.path, {
    temporaryPath: leftoverPath(log.path, 'new'),
    replace,
    mode: log.set.mode ?? model.mode,
    uid: ownerId(directory, log.set) ?? model.uid,
    gid: groupId(directory, log.set) ?? model.gid,
  })
}

function ownerId(directory: HostDirectory, set: LogSet): number | undefined {
  if (set.owner === undefined) return undefined
  const uid = directory.userId(set.owner)
  if (uid === undefined) throw new Error(`Cannot give a log to "${set.owner}": there is no such user`)
  return uid
}

function groupId(directory: HostDirectory, set: LogSet): number | undefined {
  if (set.group === undefined) return undefined
  const gid = directory.groupId(set.group)
  if (gid === undefined) throw new Error(`Cannot give a log to the group "${set.group}": there is none`)
  return gid
}

/** False where the file system has no hard links. */
function linkWherePossible(directory: HostDirectory, from: string, to: string): boolean {
  try {
    directory.link(from, to)
    return true
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
    return false
  }
}

/** The file that was judged safe is still the one under the log's name. */
export function assertUnchanged(directory: HostDirectory, log: SurveyedLog): void {
  const now = directory.stat(log.path)
  if (now && log.stat && sameFile(now, log.stat) && now.type === 'file' && now.nlink === log.stat.nlink)
    return
  throw new Error(`Cannot rotate "${log.path}": it was replaced since it was looked at`)
}
