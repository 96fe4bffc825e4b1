import type { FileSink, FileSource, HostDirectory } from '../../agent/contract/mod.ts'
import { compressByProgram, type Digest, digestOfContent, digestOfFile, isByProgram } from './codec.ts'
import type { ArchiveFormat, Compression } from './format.ts'
import { type Generation, generationPath, leftoverPath, sameFile } from './generation.ts'

/** What is proven of a generation: all that was read is in the file that is left. */
export interface Proof {
  path: string
  /** Size of the file on disk. */
  fileBytes: number
  /** SHA-256 of the file on disk. */
  fileSha256: string
  compression: Compression
  /** Read from the log, and found again in the archive. */
  contentBytes: number
  contentSha256: string
}

/** Somebody wrote to the generation while it was compressed: it is left as it is. */
export class StillWrittenError extends Error {
  override readonly name = 'StillWrittenError'

  constructor(path: string) {
    super(`Cannot compress "${path}": it was written to meanwhile`)
  }
}

/** An archive that has its name, beside the generation that it was made of. */
export interface Archived {
  proof: Proof
  generation: Generation
}

/**
 * Compresses a generation under a temporary name, on a thread that reads it back and compares it, and gives it its
 * final name. The generation stays until `removeSource`. Memory does not grow with the file.
 */
export async function makeArchive(
  directory: HostDirectory,
  generation: Generation,
  log: string,
  compression: ArchiveFormat,
  signal: AbortSignal,
): Promise<Archived> {
  const path = generationPath(log, generation.index, compression)
  const source = openSame(directory, generation)
  try {
    const { stat } = source
    const finished = await resolveDuplicate(directory, generation, source, path, compression, signal)
    if (finished) return { proof: finished, generation }
    const sink = directory.create(path, {
      temporaryPath: leftoverPath(path, 'archive'),
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      mtimeMs: stat.mtimeMs,
      readable: true,
    })
    try {
      const { read, written } = await compress(directory, source, sink, compression, signal)
      if (!isQuiet(directory, generation, read.bytes)) throw new StillWrittenError(generation.path)
      sink.commit({ durable: false }) // its content is on the disk; its name is so before the source goes
      return { proof: proofOf(path, compression, read, written), generation }
    } finally {
      sink.abort()
    }
  } finally {
    source.close()
  }
}

/** When the archive's name is on the disk. Throws when somebody has written to the generation: then that stays. */
export function removeSource(directory: HostDirectory, { proof, generation }: Archived): void {
  if (!isQuiet(directory, generation, proof.contentBytes)) {
    directory.remove(proof.path)
    throw new StillWrittenError(generation.path)
  }
  directory.remove(generation.path, { durable: false })
}

/** The proof of a generation that stays as it is. */
export async function hashGeneration(
  directory: Pick<HostDirectory, 'open' | 'start'>,
  generation: Generation,
  signal: AbortSignal,
): Promise<Proof> {
  const source = openSame(directory, generation)
  try {
    const file = digestOfFile(source, signal)
    if (generation.compression === 'none') return proofOf(generation.path, 'none', file, file)
    const content = await digestOfContent(directory, source, generation.compression, signal)
    return proofOf(generation.path, generation.compression, content, file)
  } finally {
    source.close()
  }
}

/**
 * Both the archive and its source are there: a run was cut off between the last name of the one and the removal
 * of the other. Takes the archive when it holds all of the source, gives it up when a writer has overtaken it, and
 * refuses one that holds anything else.
 */
async function resolveDuplicate(
  directory: HostDirectory,
  generation: Generation,
  source: FileSource,
  path: string,
  compression: ArchiveFormat,
  signal: AbortSignal,
): Promise<Proof | undefined> {
  if (!directory.stat(path)) return undefined
  const archive = directory.open(path)
  try {
    const archived = await digestOfContent(directory, archive, compression, signal)
    const same = digestOfFile(source, signal, archived.bytes)
    if (same.bytes !== archived.bytes || same.sha256 !== archived.sha256) {
      throw new Error(`Cannot compress to "${path}": it exists already, with other content`)
    }
    if (!isQuiet(directory, generation, archived.bytes)) {
      directory.remove(path)
      return undefined
    }
    return proofOf(path, compression, archived, digestOfFile(archive, signal))
  } finally {
    archive.close()
  }
}

async function compress(
  directory: HostDirectory,
  source: FileSource,
  sink: FileSink,
  format: ArchiveFormat,
  signal: AbortSignal,
): Promise<{ read: Digest; written: Digest }> {
  if (!isByProgram(format)) return sink.compress(source, format, signal)
  const digests = await compressByProgram(directory, source, format, sink.write, signal)
  sink.sync()
  await assertHolds(directory, sink.temporaryPath, format, digests.read, signal)
  return digests
}

async function assertHolds(
  directory: HostDirectory,
  path: string,
  compression: ArchiveFormat,
  expected: Digest,
  signal: AbortSignal,
): Promise<void> {
  const archive = directory.open(path)
  try {
    const found = await digestOfContent(directory, archive, compression, signal, expected.bytes)
    if (found.bytes === expected.bytes && found.sha256 === expected.sha256) return
    throw new Error(`Cannot use "${path}": it holds ${found.bytes} bytes of other content than the log`)
  } finally {
    archive.close()
  }
}

function openSame(directory: Pick<HostDirectory, 'open'>, generation: Generation): FileSource {
  const source = directory.open(generation.path)
  if (sameFile(source.stat, generation.stat)) return source
  source.close()
  throw new Error(`Cannot read "${generation.path}": it was replaced since it was looked at`)
}

/** Whether the generation is still the file that was read, with no byte more. */
function isQuiet(directory: HostDirectory, generation: Generation, bytes: number): boolean {
  const now = directory.stat(generation.path)
  return now !== undefined && sameFile(now, generation.stat) && now.size === bytes
}

function proofOf(path: string, compression: Compression, content: Digest, file: Digest): Proof {
  return {
    path,
    fileBytes: file.bytes,
    fileSha256: file.sha256,
    compression,
    contentBytes: content.bytes,
    contentSha256: content.sha256,
  }
}
