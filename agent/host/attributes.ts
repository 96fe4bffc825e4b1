import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  type Stats,
} from 'node:fs'
import type { FileStat } from '../contract/host.ts'
import { baseName } from '../lib/path.ts'
import { O_PATH } from './directory.ts'
import { toFileStat } from './files.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { toSystemPath } from './names.ts'

const ENODATA = 61
const REPLACED = 'it was replaced since it was looked at'

/** Changes the mode of an entry through a handle of it; what it refuses is told at `HostWriter.setMode`. */
export function changeMode(parent: number, path: string, expected: FileStat, mode: number): FileStat {
  return withEntry(parent, path, expected, (handle, before) => {
    if (before.isSymbolicLink()) throw new Error('a symbolic link has no mode of its own')
    chmodSync(handle, mode)
    return (after) => after.mode === mode || 'the kernel did not keep the mode (setgid needs CAP_FSETID)'
  })
}

/** Changes owner and group like changeMode; of a symbolic link the link's own. */
export function changeOwner(
  parent: number,
  path: string,
  expected: FileStat,
  uid: number,
  gid: number,
): FileStat {
  return withEntry(parent, path, expected, (handle) => {
    chownSync(handle, uid, gid)
    return (after) => (after.uid === uid && after.gid === gid) || 'the kernel did not keep the owner'
  })
}

/** Sets or removes an extended attribute like changeMode. */
export function changeAttribute(
  parent: number,
  path: string,
  expected: FileStat,
  name: string,
  value: Uint8Array | null,
): FileStat {
  return withEntry(parent, path, expected, (handle, before) => {
    if (before.isSymbolicLink()) throw new Error('a symbolic link has no such attribute')
    const numbers = NUMBERS[architecture()]
    const [file, attribute] = [Buffer.from(`${handle}\0`), Buffer.from(`${name}\0`)]
    const result =
      value === null
        ? systemCall(numbers.removexattr, file, attribute)
        : systemCall(numbers.setxattr, file, attribute, value, value.length, 0)
    const isGone = value === null && -result === ENODATA
    if (result < 0 && !isGone)
      throw new Error(`the kernel does not take the attribute ${name} (errno ${-result})`)
    return () => true
  })
}

/**
 * O_PATH names the entry without opening it: it needs no permission on it, wakes no device and no pipe, and
 * /proc/self/fd leads chmod and chown to that very inode, whatever the path has become.
 */
function withEntry(
  parent: number,
  path: string,
  expected: FileStat,
  change: (handle: string, before: Stats) => (after: FileStat) => true | string,
): FileStat {
  const name = toSystemPath(`/proc/self/fd/${parent}/${baseName(path) || '.'}`)
  const descriptor = openSync(name, O_PATH | constants.O_NOFOLLOW)
  try {
    const before = fstatSync(descriptor)
    const { ino, dev, type } = toFileStat(before)
    if (ino !== expected.ino || dev !== expected.dev || type !== expected.type) throw new Error(REPLACED)
    if (type !== 'directory' && othersMayName(fstatSync(parent))) demandOnlyName(name, before)
    const verdict = change(`/proc/self/fd/${descriptor}`, before)
    const after = toFileStat(fstatSync(descriptor))
    const kept = verdict(after)
    if (kept !== true) throw new Error(kept)
    return after
  } finally {
    closeSync(descriptor)
  }
}

/**
 * A file that somebody linked here may be anybody's, so it must have no other name. To count the names once is
 * not enough: the one here may be taken away after it led to the inode and before they are counted. Linking and
 * unlinking change ctime: where that is the same in two looks, the name of the second was there all the while.
 */
function demandOnlyName(name: string | Buffer, opened: Stats): void {
  const [first, second] = [lstatSync(name, { bigint: true }), lstatSync(name, { bigint: true })]
  for (const { nlink } of [first, second]) {
    if (nlink === 1n) continue
    throw new Error(
      `it has ${nlink} names (hard links), and users other than root can make names in its directory`,
    )
  }
  const isSame = first.ino === second.ino && Number(second.ino) === opened.ino
  if (!isSame || first.ctimeNs !== second.ctimeNs) throw new Error(REPLACED)
}

/** Whether anybody but root and this process's user can make a name in a directory. */
function othersMayName(directory: Stats): boolean {
  const trusted = directory.uid === 0 || directory.uid === process.geteuid?.()
  return !trusted || (directory.mode & 0o022) !== 0
}
