import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import {
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
  type Gunzip,
  type Gzip,
  type ZstdCompress,
  type ZstdDecompress,
} from 'node:zlib'
import type { FileSource, HostDirectory } from '../../agent/contract/mod.ts'
import { type Compression, type Generation, generationPath, leftoverPath, sameFile } from './generation.ts'

const CHUNK_BYTES = 262_144

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

type Codec = Gzip | Gunzip | ZstdCompress | ZstdDecompress

interface Digest {
  bytes: number
  sha256: string
}

/**
 * Compresses a generation under a temporary name, reads that back and compares it, gives it its final name
 * when it is on disk, and only then removes the uncompressed one. Memory does not grow with the file.
 */
export async function compressGeneration(
  directory: HostDirectory,
  generation: Generation,
  log: string,
  compression: 'gzip' | 'zstd',
  signal: AbortSignal,
): Promise<Proof> {
  const path = generationPath(log, generation.index, compression)
  const source = openSame(directory, generation)
  try {
    const { stat } = source
    const finished = await resolveDuplicate(directory, generation, source, path, compression, signal)
    if (finished) return finished
    const sink = directory.create(path, {
      temporaryPath: leftoverPath(path, 'archive'),
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      mtimeMs: stat.mtimeMs,
    })
    try {
      const content = hasher()
      const file = hasher()
      await pump(
        source,
        compression === 'gzip' ? createGzip() : createZstdCompress(),
        (chunk) => content.add(chunk),
        (chunk) => {
          file.add(chunk)
          sink.write(chunk)
        },
        signal,
      )
      const [read, written] = [content.digest(), file.digest()]
      await assertHolds(directory, sink.temporaryPath, compression, read, signal)
      if (!isQuiet(directory, generation, read.bytes)) throw new StillWrittenError(generation.path)
      sink.commit()
      if (!isQuiet(directory, generation, read.bytes)) {
        directory.remove(path)
        throw new StillWrittenError(generation.path)
      }
      directory.remove(generation.path)
      return proofOf(path, compression, read, written)
    } finally {
      sink.abort()
    }
  } finally {
    source.close()
  }
}

/** The proof of a generation that stays as it is. */
export async function hashGeneration(
  directory: HostDirectory,
  generation: Generation,
  signal: AbortSignal,
): Promise<Proof> {
  const source = openSame(directory, generation)
  try {
    const file = await digestOf(source, undefined, signal)
    if (generation.compression === 'none') return proofOf(generation.path, 'none', file, file)
    const content = await digestOf(source, decompressor(generation.compression), signal)
    return proofOf(generation.path, generation.compression, content, file)
  } finally {
    source.close()
  }
}

/**
 * Both the archive and its source are there: a run was cut off between the last name of the one and the removal
 * of the other. Finishes it when the archive holds all of the source, gives up an archive that a writer has
 * overtaken, and refuses one that holds anything else.
 */
async function resolveDuplicate(
  directory: HostDirectory,
  generation: Generation,
  source: FileSource,
  path: string,
  compression: 'gzip' | 'zstd',
  signal: AbortSignal,
): Promise<Proof | undefined> {
  if (!directory.stat(path)) return undefined
  const archive = directory.open(path)
  try {
    const archived = await digestOf(archive, decompressor(compression), signal)
    const same = await digestOf(source, undefined, signal, archived.bytes)
    if (same.bytes !== archived.bytes || same.sha256 !== archived.sha256) {
      throw new Error(`Cannot compress to "${path}": it exists already, with other content`)
    }
    if (!isQuiet(directory, generation, archived.bytes)) {
      directory.remove(path)
      return undefined
    }
    const file = await digestOf(archive, undefined, signal)
    directory.remove(generation.path)
    return proofOf(path, compression, archived, file)
  } finally {
    archive.close()
  }
}

async function assertHolds(
  directory: HostDirectory,
  path: string,
  compression: 'gzip' | 'zstd',
  expected: Digest,
  signal: AbortSignal,
): Promise<void> {
  const archive = directory.open(path)
  try {
    const found = await digestOf(archive, decompressor(compression), signal)
    if (found.bytes === expected.bytes && found.sha256 === expected.sha256) return
    throw new Error(`Cannot use "${path}": it holds ${found.bytes} bytes of other content than the log`)
  } finally {
    archive.close()
  }
}

function openSame(directory: HostDirectory, generation: Generation): FileSource {
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

function decompressor(compression: 'gzip' | 'zstd'): Codec {
  return compression === 'gzip' ? createGunzip() : createZstdDecompress()
}

/** Bytes and SHA-256 of a file (of its first `limit` bytes), or of what it decompresses to. */
async function digestOf(
  source: FileSource,
  codec: Codec | undefined,
  signal: AbortSignal,
  limit = Number.POSITIVE_INFINITY,
): Promise<Digest> {
  const hash = hasher()
  if (codec) {
    await pump(source, codec, undefined, (chunk) => hash.add(chunk), signal)
    return hash.digest()
  }
  const buffer = new Uint8Array(CHUNK_BYTES)
  for (let position = 0; position < limit; ) {
    signal.throwIfAborted()
    const count = source.read(buffer.subarray(0, Math.min(CHUNK_BYTES, limit - position)), position)
    if (count === 0) break
    hash.add(buffer.subarray(0, count))
    position += count
  }
  return hash.digest()
}

/** Reads a file through a codec, a chunk at a time: the codec's own queue is what is in memory. */
async function pump(
  source: FileSource,
  codec: Codec,
  onInput: ((chunk: Uint8Array) => void) | undefined,
  onOutput: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  async function* input() {
    for (let position = 0; ; ) {
      // A new buffer each time: the codec may still be working on the one before.
      const buffer = new Uint8Array(CHUNK_BYTES)
      const count = source.read(buffer, position)
      if (count === 0) return
      position += count
      const chunk = buffer.subarray(0, count)
      onInput?.(chunk)
      yield chunk
    }
  }
  async function output(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) onOutput(chunk)
  }
  await pipeline(input, codec, output, { signal })
}

function hasher() {
  const hash = createHash('sha256')
  let bytes = 0
  return {
    add: (chunk: Uint8Array) => {
      hash.update(chunk)
      bytes += chunk.length
    },
    digest: (): Digest => ({ bytes, sha256: hash.digest('hex') }),
  }
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
