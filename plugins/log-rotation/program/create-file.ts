import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { wallTime } from '../logrotate/local-time.ts'
import { setAccessList } from './acl.ts'
import { describe } from './describe.ts'
import { type Files, splitPath } from './files.ts'
import type { Output } from './output.ts'
import { withContextOf } from './security-context.ts'

/** What a new file is to be like. */
export interface FileLike {
  mode: number
  uid: number
  gid: number
  /** Takes the place of the mode where the file system can. */
  accessList?: Uint8Array | undefined
  /** A file whose SELinux context the new one gets. */
  contextOf?: number | undefined
}

/** Told already. */
export class CreateFailure extends Error {}

const OWNER_ONLY = 0o600

/**
 * A new file that was never open to more than it will be: no link is followed and nothing that is there is reused.
 * What has the name already is kept as `NAME-YYYYMMDDHH.backup`. Throws CreateFailure after telling why.
 */
export function createOutputFile(
  files: Files,
  path: string,
  like: FileLike,
  now: Date,
  output: Output,
  shown = path,
): number {
  const fail = (what: string, error: unknown): never => {
    output.error(`${what}: ${describe(error)}`)
    throw new CreateFailure(what, { cause: error })
  }
  const attempt = <T>(what: string, act: () => T): T => {
    try {
      return act()
    } catch (error) {
      return fail(what, error)
    }
  }
  const create = () => withContextOf(like.contextOf, () => createFile(files, path, like.mode))
  let descriptor: number
  try {
    descriptor = create()
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') return fail(`error creating output file ${shown}`, error)
    setAside(files, path, now, output)
    descriptor = attempt(`error creating output file ${shown}`, create)
  }
  try {
    attempt(`error setting mode of ${shown}`, () => fchmodSync(descriptor, like.mode & OWNER_ONLY))
    const { uid, gid } = fstatSync(descriptor)
    if (process.geteuid?.() === 0 && (uid !== like.uid || gid !== like.gid)) {
      attempt(`error setting owner of ${shown} to uid ${like.uid} and gid ${like.gid}`, () =>
        fchownSync(descriptor, like.uid, like.gid),
      )
    }
    const list = like.accessList
    const hasList =
      list !== undefined && attempt(`setting ACL for ${shown}`, () => setAccessList(descriptor, list))
    if (!hasList) attempt(`error setting mode of ${shown}`, () => fchmodSync(descriptor, like.mode & 0o7777))
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

function createFile(files: Files, path: string, mode: number): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  return openSync(files.at(path), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & OWNER_ONLY)
}

/** Known beforehand, so that a later run can remove what a crash left. */
export function temporaryName(path: string, kind: 'new' | 'copy'): string {
  const { directory, name } = splitPath(path)
  return `${directory}/.${name}.reeve-${kind}`
}

/**
 * Gives a finished file its name; what has it already, perhaps since an instant, is kept as by createOutputFile.
 * Throws CreateFailure after telling why.
 */
export function nameOutputFile(
  files: Files,
  temporary: string,
  path: string,
  now: Date,
  output: Output,
): void {
  if (linkIfFree(files, temporary, path)) {
    files.unlink(temporary)
    return
  }
  if (files.exists(path)) setAside(files, path, now, output)
  try {
    files.rename(temporary, path)
  } catch (error) {
    output.error(`error creating output file ${path}: ${describe(error)}`)
    throw new CreateFailure(path, { cause: error })
  }
}

/** False where the name is taken, and where the file system has no hard links. */
function linkIfFree(files: Files, from: string, to: string): boolean {
  try {
    files.link(from, to)
    return true
  } catch {
    return false
  }
}

/** Throws CreateFailure after telling why. */
export function setAside(files: Files, path: string, now: Date, output: Output): void {
  const backup = `${path}-${formatStamp(now)}.backup`
  output.error(`destination ${path} already exists, renaming to ${backup}`)
  try {
    files.rename(path, backup)
  } catch (error) {
    output.error(`error renaming already existing output file ${path} to ${backup}: ${describe(error)}`)
    throw new CreateFailure(path, { cause: error })
  }
}

/** "YYYYMMDDHH" in local time. */
function formatStamp(at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const { year, month, day, hour } = wallTime(at)
  return `${year}${two(month)}${two(day)}${two(hour)}`
}
