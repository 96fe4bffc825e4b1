import { errnoOf, type FileSource, type FileStat, type HostReader } from '../../agent/contract/mod.ts'
import { type CredentialFile, Unreadable } from './credential.ts'

/** More than any file of credentials has; what is larger is not one. */
const MAX_FILE_BYTES = 1_048_576

/**
 * A link is followed when it belongs to root or to the owner of what it leads to (the rule of the kernel's
 * fs.protected_symlinks): certificates are often links, and nobody's link shall show another one's secrets.
 */
export function readCredentialFile(host: HostReader, path: string): { bytes: Uint8Array; stat: FileStat } {
  const link = host.stat(path)
  const source = openFollowing(host, path)
  try {
    if (link?.type === 'symlink' && link.uid !== 0 && link.uid !== source.stat.uid) {
      throw new Unreadable('it is a link that belongs neither to root nor to the owner of what it leads to')
    }
    return { bytes: readAll(source), stat: source.stat }
  } finally {
    source.close()
  }
}

export function toCredentialFile(stat: FileStat): CredentialFile {
  const { mode, uid, gid, dev, ino } = stat
  return {
    mode,
    uid,
    gid,
    mtimeMs: Math.floor(stat.mtimeMs),
    ctimeMs: Math.floor(stat.ctimeMs),
    inode: `${dev}:${ino}`,
  }
}

function openFollowing(host: HostReader, path: string): FileSource {
  try {
    return host.open(path, { follow: true })
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw new Unreadable('its links lead in a circle')
    throw error
  }
}

function readAll(source: FileSource): Uint8Array {
  const limit = `at most ${MAX_FILE_BYTES} bytes are read`
  if (source.stat.size > MAX_FILE_BYTES) throw new Unreadable(`it has ${source.stat.size} bytes; ${limit}`)
  const chunks: Uint8Array[] = []
  for (let total = 0; ; ) {
    const chunk = new Uint8Array(Math.min(65_536, Math.max(4096, source.stat.size + 1 - total)))
    const count = source.read(chunk, total)
    if (count === 0) return Buffer.concat(chunks)
    total += count
    if (total > MAX_FILE_BYTES) throw new Unreadable(`it grows while it is read; ${limit}`)
    chunks.push(chunk.subarray(0, count))
  }
}
