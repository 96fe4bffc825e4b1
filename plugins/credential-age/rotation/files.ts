import type { FileStat, HostWriter } from '../../../agent/contract/mod.ts'
import { StepFailed } from './programs.ts'

const MAX_FILE_BYTES = 1_048_576

/** Where the new content waits, beside the file itself: never seen in parts, and on the same file system. */
export const nextOf = (path: string) => `${path}.reeve-next`
/** The content before the rotation, until the old value is known to be refused. */
export const previousOf = (path: string) => `${path}.reeve-previous`

/** What is being written: of a known name, so that a crash leaves nothing that nobody finds. */
const partialOf = (path: string) => `${path}.reeve-partial`

/** A file that may be replaced: a regular one, of one name. */
export function statOfOwn(host: HostWriter, path: string): FileStat {
  const stat = host.stat(path)
  if (!stat) throw new StepFailed(`there is no ${path}`)
  if (stat.type !== 'file') throw new StepFailed(`${path} is a ${stat.type}; name the file itself`)
  return stat
}

export function readOwn(host: HostWriter, path: string): string {
  return host.readText(path, { maxBytes: MAX_FILE_BYTES })
}

/** Writes new content beside a file, with its owner and mode; durable when it returns. */
export function writeNext(host: HostWriter, path: string, content: string): void {
  const { mode, uid, gid } = statOfOwn(host, path)
  writeWhole(host, path, nextOf(path), content, { mode, uid, gid })
}

/** Keeps a copy of content, with the owner and mode of what a file leads to. */
export function writePrevious(host: HostWriter, path: string, content: Uint8Array): void {
  const { mode, uid, gid } = host.statTarget(path) ?? statOfOwn(host, path)
  writeWhole(host, path, previousOf(path), content, { mode, uid, gid })
}

function writeWhole(
  host: HostWriter,
  path: string,
  target: string,
  content: string | Uint8Array,
  owner: Pick<FileStat, 'mode' | 'uid' | 'gid'>,
): void {
  removeIfThere(host, partialOf(path))
  host.writeFile(target, content, { ...owner, replace: true, temporaryPath: partialOf(path) })
}

/**
 * Puts what waits beside a file into its place and keeps the old content. Goes on where a crash left it: the old
 * content gets its second name only while the file still is the old one.
 */
export function switchToNext(host: HostWriter, path: string): void {
  if (!host.stat(nextOf(path))) return // it was switched before
  if (host.stat(previousOf(path))) host.remove(previousOf(path))
  host.link(path, previousOf(path))
  host.rename(nextOf(path), path, { replace: true })
}

/** Puts the old content back, if it was taken out. */
export function switchBack(host: HostWriter, path: string): void {
  if (host.stat(previousOf(path))) host.rename(previousOf(path), path, { replace: true })
  removeIfThere(host, nextOf(path))
}

/** Changes a file in place: atomic, durable, same owner and mode. */
export function replaceContent(host: HostWriter, path: string, content: string): void {
  const { mode, uid, gid } = statOfOwn(host, path)
  writeWhole(host, path, path, content, { mode, uid, gid })
}

/** Removes what a rotation left beside a file. */
export function removeBeside(host: HostWriter, path: string): void {
  for (const beside of [partialOf(path), nextOf(path), previousOf(path)]) removeIfThere(host, beside)
}

export function removeIfThere(host: HostWriter, path: string): void {
  if (host.stat(path)) host.remove(path)
}
