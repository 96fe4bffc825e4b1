import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { bytesOf, nameOf, textOf } from './bytes.ts'

const O_PATH = 0o10000000
const FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW
const MAX_LINKS = 40
const MAX_HELD = 16

/** A directory on the way to a log can be exchanged by somebody who may not write where it leads. */
export class UnsafePath extends Error {}

/**
 * Directories that are held by handles, so that what is done in one is done in the very directory that was looked at,
 * whatever becomes of the names on the way to it. Each way is walked component by component. A link that root alone
 * can change is followed as everywhere; one that somebody else can change only to a directory of that very account.
 */
export class HeldDirectories {
  readonly #handles = new Map<string, number>()
  readonly #identities = new Map<string, string>()

  /** A handle (O_PATH). Throws what the system says of the way, or UnsafePath. Good for this and the next call. */
  open(path: string): number {
    const held = this.#handles.get(path)
    if (held !== undefined) {
      // To the end: the one that was not used for longest is the first to go.
      this.#handles.delete(path)
      this.#handles.set(path, held)
      return held
    }
    const handle = walk(path)
    const { dev, ino } = fstatSync(handle)
    const identity = `${dev}:${ino}`
    const before = this.#identities.get(path) ?? identity
    if (before !== identity) {
      closeSync(handle)
      throw new UnsafePath(`"${path}" has become another directory`)
    }
    this.#identities.set(path, identity)
    this.#makeRoom()
    this.#handles.set(path, handle)
    return handle
  }

  #makeRoom(): void {
    if (this.#handles.size < MAX_HELD) return
    const [oldest] = this.#handles
    if (!oldest) return
    closeSync(oldest[1])
    this.#handles.delete(oldest[0])
  }

  /** What a directory is called may mean another one from here on. */
  forget(): void {
    for (const handle of this.#handles.values()) closeSync(handle)
    this.#handles.clear()
    this.#identities.clear()
  }
}

function walk(path: string): number {
  const rest = path.split('/').filter((part) => part !== '' && part !== '.')
  let handle = openSync(path.startsWith('/') ? '/' : '.', O_PATH | constants.O_DIRECTORY)
  let suspect: number | undefined
  try {
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() ?? ''
      const next = openComponent(handle, part)
      if (typeof next === 'number') {
        closeSync(handle)
        handle = next
        continue
      }
      if (++links > MAX_LINKS)
        throw Object.assign(new Error('Too many levels of symbolic links'), { code: 'ELOOP' })
      suspect = exchangerOf(fstatSync(handle), next.link, path) ?? suspect
      rest.unshift(...next.target.split('/').filter((name) => name !== '' && name !== '.'))
      if (next.target.startsWith('/')) {
        closeSync(handle)
        handle = openSync('/', O_PATH | constants.O_DIRECTORY)
      }
    }
    if (suspect !== undefined && fstatSync(handle).uid !== suspect) {
      throw new UnsafePath(
        `a symbolic link of the user ${suspect} leads to a directory that is not that user's`,
      )
    }
    return handle
  } catch (error) {
    closeSync(handle)
    throw error
  }
}

function openComponent(handle: number, part: string): number | { link: Stats; target: string } {
  const name = within(handle, part)
  try {
    return openSync(name, FLAGS)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error
    const link = lstatSync(name)
    if (!link.isSymbolicLink()) throw error
    return { link, target: textOf(readlinkSync(name, { encoding: 'buffer' })) }
  }
}

/** Who, beside root, can change a link; undefined: nobody. Throws when it could be more than one account. */
function exchangerOf(directory: Stats, link: Stats, path: string): number | undefined {
  const mine = process.geteuid?.() ?? 0
  const isTrusted = (uid: number) => uid === 0 || uid === mine
  const byOthers = (directory.mode & 0o002) !== 0
  const byGroup = (directory.mode & 0o020) !== 0 && directory.gid !== 0
  const isSticky = (directory.mode & 0o1000) !== 0
  if ((byOthers || byGroup) && !isSticky) {
    throw new UnsafePath(`a symbolic link on the way to "${path}" is in a directory that others can write to`)
  }
  if (!isTrusted(directory.uid)) return directory.uid
  return (byOthers || byGroup) && !isTrusted(link.uid) ? link.uid : undefined
}

/** The name by which the system finds an entry of an open directory. */
export function within(handle: number, name: string): string | Buffer {
  const directory = `/proc/self/fd/${handle}/`
  const entry = nameOf(name)
  return typeof entry === 'string'
    ? directory + entry
    : Buffer.concat([Buffer.from(directory), bytesOf(name)])
}

/** Handles need /proc. Without it, as in a bare chroot, names are all there is. */
export const canHoldDirectories = (): boolean =>
  statSync('/proc/self/fd', { throwIfNoEntry: false }) !== undefined
