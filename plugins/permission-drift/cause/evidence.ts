import { createHash } from 'node:crypto'
import { type EntryState, errnoOf, type HostReader } from '../../../agent/contract/mod.ts'

/** What the sources of causes need of a run. */
export interface Evidence {
  readonly host: HostReader
  readonly now: Date
  /** Keyed identity of a value, for what is remembered of secrets. */
  fingerprint(value: string | Uint8Array): string
  /** Something that would explain a change cannot be read or believed: told once, never taken for an explanation. */
  onBlind(subject: string, reason: string): void
}

/** A time span in nanoseconds since 1970, both ends included. */
export interface Span {
  startNs: bigint
  endNs: bigint
}

export function within(timeNs: bigint, { startNs, endNs }: Span): boolean {
  return timeNs >= startNs && timeNs <= endNs
}

const MAX_EVIDENCE_BYTES = 64 * 1024 * 1024

/**
 * The text of a file that only root (or the user that `trustedUid` is) can have written; undefined when it is
 * not there. What others can write explains nothing: it is blind.
 */
export function readEvidence(evidence: Evidence, path: string): string | undefined {
  const { host } = evidence
  const stat = host.stat(path)
  if (!stat) return undefined
  const reason = distrust(host, path)
  if (reason) {
    evidence.onBlind(path, `${reason}: it explains no change`)
    return undefined
  }
  try {
    return host.readText(path, { maxBytes: MAX_EVIDENCE_BYTES, follow: true })
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error
    evidence.onBlind(path, 'permission denied: it explains no change')
    return undefined
  }
}

/** Why a file of evidence cannot be believed: others than root may write it or its directory. */
function distrust(host: HostReader, path: string): string | undefined {
  const directory = path.slice(0, path.lastIndexOf('/')) || '/'
  for (const part of [path, directory]) {
    const stat = host.statTarget(part)
    if (!stat) return undefined
    const owner = host.stat('/etc')?.uid ?? 0
    if (stat.uid !== 0 && stat.uid !== owner) return `"${part}" belongs to user ${host.userName(stat.uid)}`
    if (stat.mode & 0o002) return `everybody can write "${part}"`
    if (stat.mode & 0o020 && stat.gid !== 0 && part === path) return `a group can write "${part}"`
  }
  return undefined
}

/** Metadata that give nobody anything: of root, no set-ID, nothing that others may write. */
export function isHarmless(after: EntryState): boolean {
  if (after.type === 'symlink') return after.uid === 0
  return after.uid === 0 && (after.mode & 0o6022) === 0 && !after.capabilities && !after.acl
}

/** No program: a file that nobody executes and others cannot write, or a directory that others cannot. */
export function isData({ type, mode }: Pick<EntryState, 'type' | 'mode'>): boolean {
  return (mode & 0o6022) === 0 && (type === 'directory' || (mode & 0o111) === 0)
}

const CHUNK_BYTES = 262_144

/** Digest of a file's content, in hex; undefined when another file has taken its name. Throws when it cannot be read. */
export function contentDigest(
  host: HostReader,
  algorithm: string,
  { path, ino, dev }: { path: string; ino: number; dev: number },
): string | undefined {
  const source = host.open(path)
  try {
    if (source.stat.ino !== ino || source.stat.dev !== dev) return undefined
    const hash = createHash(algorithm)
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const count = source.read(buffer, position)
      if (count === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, count))
      position += count
    }
  } finally {
    source.close()
  }
}
