import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import {
  createGunzip,
  createZstdDecompress,
  type Gunzip,
  gunzipSync,
  type ZstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import type { FileSource, HostReader, RunningProgram } from '../../agent/contract/mod.ts'
import { type ArchiveFormat, PROGRAMS, type ProgramFormat } from './format.ts'

export function isByProgram(format: ArchiveFormat): format is ProgramFormat {
  return Object.hasOwn(PROGRAMS, format)
}

const CHUNK_BYTES = 262_144
/** What is no larger goes through the codec at once: a stream costs more than a small log. */
const WHOLE_BYTES = 1_048_576

export interface Digest {
  bytes: number
  sha256: string
}

/** Compresses all of a file by a program of the host. Returns what was read and written. */
export async function compressByProgram(
  host: Pick<HostReader, 'start'>,
  source: FileSource,
  format: ProgramFormat,
  write: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<{ read: Digest; written: Digest }> {
  const [content, file] = [hasher(), hasher()]
  const output = (chunk: Uint8Array) => {
    file.add(chunk)
    write(chunk)
  }
  await runThrough(host.start(PROGRAMS[format][0], { signal }), source, content.add, output, signal)
  return { read: content.digest(), written: file.digest() }
}

/**
 * Bytes and SHA-256 of what an archive holds. `expectedBytes` says how much that should be, so that a small one
 * is read at once; more than that is then an error. Throws when the archive is damaged.
 */
export async function digestOfContent(
  host: Pick<HostReader, 'start'>,
  archive: FileSource,
  format: ArchiveFormat,
  signal: AbortSignal,
  expectedBytes?: number,
): Promise<Digest> {
  const content = hasher()
  if (isByProgram(format)) {
    await runThrough(host.start(PROGRAMS[format][1], { signal }), archive, undefined, content.add, signal)
  } else if (
    expectedBytes !== undefined &&
    expectedBytes <= WHOLE_BYTES &&
    archive.stat.size <= WHOLE_BYTES
  ) {
    const bytes = readWhole(archive)
    const limit = { maxOutputLength: Math.max(1, expectedBytes) }
    content.add(format === 'gzip' ? gunzipSync(bytes, limit) : zstdDecompressSync(bytes, limit))
  } else {
    const codec = format === 'gzip' ? createGunzip() : createZstdDecompress()
    await pump(archive, codec, undefined, content.add, signal)
  }
  return content.digest()
}

/** Bytes and SHA-256 of a file as it is, or of its first `limit` bytes. */
export function digestOfFile(
  source: FileSource,
  signal: AbortSignal,
  limit = Number.POSITIVE_INFINITY,
): Digest {
  const hash = hasher()
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(4096, source.stat.size + 1)))
  for (let position = 0; position < limit; ) {
    signal.throwIfAborted()
    const count = source.read(buffer.subarray(0, Math.min(buffer.length, limit - position)), position)
    if (count === 0) break
    hash.add(buffer.subarray(0, count))
    position += count
  }
  return hash.digest()
}

/** Reads a file through a codec: the codec's own queue is what is in memory. */
async function pump(
  source: FileSource,
  codec: Gunzip | ZstdDecompress,
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

/** Reads a file through a program; what waits between the two is what their pipes hold. */
async function runThrough(
  program: RunningProgram,
  source: FileSource,
  onInput: ((chunk: Uint8Array) => void) | undefined,
  onOutput: (chunk: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const feeding = feed(program, source, onInput)
  // Its end says more than that it takes no more.
  feeding.catch(() => {})
  try {
    for await (const chunk of program.stdout) onOutput(chunk)
    const { exitCode, stderr, signal: killedBy } = await program.ended
    signal.throwIfAborted()
    if (exitCode === 0) return await feeding
    throw new Error(stderr.trim().slice(-300) || `the compressor ended with ${killedBy ?? exitCode}`)
  } finally {
    program.kill()
  }
}

async function feed(
  program: RunningProgram,
  source: FileSource,
  onInput: ((chunk: Uint8Array) => void) | undefined,
): Promise<void> {
  for (let position = 0; ; ) {
    const buffer = new Uint8Array(CHUNK_BYTES)
    const count = source.read(buffer, position)
    if (count === 0) return program.endInput()
    position += count
    const chunk = buffer.subarray(0, count)
    onInput?.(chunk)
    await program.write(chunk)
  }
}

/** All of a file, also what was appended since it was opened. */
function readWhole(source: FileSource): Uint8Array {
  const chunks: Uint8Array[] = []
  for (let position = 0; ; ) {
    const buffer = new Uint8Array(Math.max(4096, source.stat.size - position))
    const count = source.read(buffer, position)
    if (count === 0) return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
    chunks.push(buffer.subarray(0, count))
    position += count
  }
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
