import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { architecture, NUMBERS, systemCall } from '../../../agent/host/libc.ts'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { bucketsFor, formatState, inBuckets, parseState } from '../logrotate/state.ts'
import { readAccessList, systemError } from './acl.ts'
import { bytesOf, nameOf, textOf } from './bytes.ts'
import { CreateFailure, createOutputFile } from './create-file.ts'
import { describe } from './describe.ts'
import { Files, splitPath, syncDirectory } from './files.ts'
import type { Output } from './output.ts'

/** Times of the last rotation by log. */
export type State = Map<string, Date>

/** Seconds of a solar year. */
const YEAR_SECONDS = 31_556_926
const [LOCK_EXCLUSIVE, LOCK_NO_WAIT] = [2, 4]
const NOWHERE = '/dev/null'
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_WRONLY } = constants

/** Holds the state file until the process ends. A file that others may read is not locked: they could hold it. */
export function lockState(path: string, how: { skip: boolean; wait: boolean }, output: Output): boolean {
  if (path === NOWHERE) return true
  const descriptor = openToLock(path, output)
  if (descriptor === undefined) return false
  if (how.skip) {
    output.debug(`Skip locking state file ${path}`)
    closeSync(descriptor)
    return true
  }
  if ((fstatSync(descriptor).mode & 0o004) !== 0) {
    output.warning(
      `state file ${path} is world-readable and thus can be locked from other unprivileged users. Skipping lock acquisition...`,
    )
    closeSync(descriptor)
    return true
  }
  if (how.wait) output.debug(`waiting for lock on state file ${path}`)
  const operation = how.wait ? LOCK_EXCLUSIVE : LOCK_EXCLUSIVE | LOCK_NO_WAIT
  const result = systemCall(NUMBERS[architecture()].flock, descriptor, operation)
  if (result === 0) {
    output.debug(`acquired lock on state file ${path}`)
    return true
  }
  const error = systemError(-result)
  const isHeld = error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK'
  output.error(
    isHeld
      ? `state file ${path} is already locked\nlogrotate does not support parallel execution on the same set of logfiles.`
      : `error acquiring lock on state file ${path}: ${describe(error)}`,
  )
  closeSync(descriptor)
  return false
}

function openToLock(path: string, output: Output): number | undefined {
  const name = nameOf(path)
  try {
    return openSync(name, O_RDWR)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      output.error(`error opening state file ${path}: ${describe(error)}`)
      return undefined
    }
  }
  output.debug(`Creating stub state file: ${path}`)
  try {
    return openSync(name, O_CREAT | O_EXCL | O_WRONLY, 0o640)
  } catch (error) {
    output.error(`error creating stub state file ${path}: ${describe(error)}`)
    return undefined
  }
}

/** What could be read; `isWhole` is false when something is wrong with the file, which has been told. */
export function readState(
  path: string,
  dryRun: boolean,
  output: Output,
): { state: State; buckets: number; isWhole: boolean } {
  output.debug(`Reading state from file: ${path}`)
  let bytes: Uint8Array = new Uint8Array()
  let isWhole = true
  try {
    bytes = readRegular(path)
  } catch (error) {
    if (!dryRun) output.error(`error opening state file ${path}: ${describe(error)}`)
    else if (errnoOf(error) === 'ENOENT') output.debug(`state file ${path} does not exist`)
    else output.error(`error opening state file ${path}; assuming empty state: ${describe(error)}`)
    isWhole = dryRun
  }
  const buckets = bucketsFor(bytes.length)
  output.debug(`Allocating hash table for state file, size ${buckets} entries`)
  if (bytes.length === 0) return { state: new Map(), buckets, isWhole }
  const { entries, problem } = parseState(textOf(bytes), path)
  for (const _ of entries) output.debug('Creating new state')
  if (problem !== undefined) output.error(problem)
  return { state: entries, buckets, isWhole: problem === undefined }
}

/** What is no regular file is as good as empty. Throws. */
function readRegular(path: string): Uint8Array {
  const descriptor = openSync(nameOf(path), O_RDONLY | constants.O_NONBLOCK)
  try {
    return fstatSync(descriptor).isFile() ? readFileSync(descriptor) : new Uint8Array()
  } finally {
    closeSync(descriptor)
  }
}

/** Replaces the state file at once. Logs that are no more and were not rotated for a year are forgotten. */
export function writeState(
  path: string,
  state: { times: State; seen: ReadonlySet<string>; buckets: number },
  now: Date,
  output: Output,
): boolean {
  if (path === NOWHERE) return true
  try {
    const descriptor = openSync(nameOf(path), O_RDONLY)
    try {
      return replaceState(path, descriptor, state, now, output)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    output.error(`error opening state file ${path}: ${describe(error)}`)
    return false
  }
}

function replaceState(
  path: string,
  before: number,
  { times, seen, buckets }: { times: State; seen: ReadonlySet<string>; buckets: number },
  now: Date,
  output: Output,
): boolean {
  const { mode, uid, gid } = fstatSync(before)
  const like = { mode, uid, gid }
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) {
    output.error(`not writing state to ${path} because it is not a regular file`)
    return false
  }
  const temporary = `${path}.tmp`
  try {
    unlinkSync(nameOf(temporary))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      output.error(`error removing old temporary state file ${temporary}: ${describe(error)}`)
      return false
    }
  }
  const kept = withoutForgotten(inBuckets(times, buckets, bytesOf), seen, now, output)
  try {
    // Who can read the file could hold its lock.
    const isOpen = (mode & 0o004) !== 0
    const accessList = isOpen ? undefined : readAccessList(before)
    const wanted = { ...like, mode: mode & ~0o004, accessList, contextOf: before }
    const descriptor = createOutputFile(new Files(false), temporary, wanted, now, output)
    try {
      writeFileSync(descriptor, bytesOf(formatState(kept)))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (!(error instanceof CreateFailure)) {
      output.error(`error creating temp state file ${temporary}: ${describe(error)}`)
      discard(temporary)
    }
    return false
  }
  try {
    renameSync(nameOf(temporary), nameOf(path))
    syncDirectory(splitPath(path).directory)
    return true
  } catch (error) {
    output.error(`error renaming temp state file ${temporary} to ${path}: ${describe(error)}`)
    discard(temporary)
    return false
  }
}

type Entries = [name: string, at: Date][]

function withoutForgotten(entries: Entries, seen: ReadonlySet<string>, now: Date, output: Output): Entries {
  const nowSeconds = Math.floor(now.getTime() / 1000)
  return entries.filter(([log, at]) => {
    if (seen.has(log) || nowSeconds - at.getTime() / 1000 <= YEAR_SECONDS) return true
    output.debug(
      `Removing ${log} from state file, because it does not exist and has not been rotated for one year`,
    )
    return false
  })
}

function discard(path: string): void {
  try {
    unlinkSync(nameOf(path))
  } catch {
    // It is in nobody's way.
  }
}
