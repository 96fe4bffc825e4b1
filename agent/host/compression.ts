import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fstatSync, fsyncSync, readSync, writeSync } from 'node:fs'

/** What is to be compressed, by descriptors: a thread needs no rights on paths, and no path can be exchanged. */
export interface CompressionTask {
  source: number
  /** A new, empty file. */
  target: number
  how:
    | { format: 'gzip'; level: number }
    | { format: 'zstd' }
    | { program: string; args: string[]; env?: Record<string, string> }
  /** Read the archive again, compare it with what was read from the source, and say the digests of both. */
  prove: boolean
}

export interface Digest {
  bytes: number
  /** Hex; '' where no proof was asked for. */
  sha256: string
}

export interface CompressionResult {
  read: Digest
  written: Digest
  /** What a program said, or why it could not be started. */
  stderr: string
  /** Of a program that failed; undefined when it ended well. */
  failure?: 'not-started' | 'failed'
}

/**
 * Each chunk becomes a gzip member or a Zstandard frame; every reader of these takes several in a row.
 * A larger chunk would save less than a thousandth.
 */
const CHUNK_BYTES = 1_048_576
const COLLECT_BYTES = 8 * 1_048_576

/** Compresses all of a file, also what is appended meanwhile, and has the archive on the disk. */
export function compressFile(task: CompressionTask, isCancelled: () => boolean): CompressionResult {
  const { source, target, how, prove } = task
  if ('program' in how) return compressByProgram(task, how)
  const codec = how.format === 'zstd' ? zstd : gzip(how.level)
  const [content, file] = [hasher(prove), hasher(prove)]
  const lengths: number[] = []
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, fstatSync(source).size + 4096))
  let [position, written] = [0, 0]
  for (;;) {
    if (isCancelled()) throw new Error('the run was ended')
    const count = fill(source, chunk, position)
    // Of an empty file there is an archive of nothing, not a file without bytes.
    if (count === 0 && lengths.length > 0) break
    const plain = chunk.subarray(0, count)
    const packed = codec.pack(plain)
    if (!prove && !codec.unpack(packed).equals(plain)) throw damaged()
    content.add(plain)
    writeAll(target, packed, written)
    lengths.push(packed.length)
    position += count
    written += packed.length
    giveBackMemory(count)
  }
  if (prove) compareArchive(target, lengths, codec, content, file)
  fsyncSync(target)
  return {
    read: { bytes: position, sha256: content.sha256() },
    written: { bytes: written, sha256: file.sha256() },
    stderr: '',
  }
}

interface Codec {
  pack(bytes: Uint8Array<ArrayBuffer>): Uint8Array
  unpack(bytes: Uint8Array): Buffer
}

/** libdeflate: about three times as fast as the program gzip, and smaller, at the same level. */
const gzip = (level: number): Codec => ({
  pack: (bytes) => Bun.gzipSync(bytes, { library: 'libdeflate', level: gzipLevel(level) }),
  unpack: (bytes) => Buffer.from(Bun.gunzipSync(new Uint8Array(bytes), { library: 'libdeflate' }).buffer),
})

const zstd: Codec = {
  pack: (bytes) => Bun.zstdCompressSync(bytes),
  unpack: (bytes) => Bun.zstdDecompressSync(bytes),
}

const GZIP_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const

function gzipLevel(level: number): (typeof GZIP_LEVELS)[number] {
  const known = GZIP_LEVELS.find((candidate) => candidate === level)
  if (known) return known
  throw new Error(`Cannot compress at level ${level}: gzip has levels from 1 to 9`)
}

/** Reads the archive as it is in the file now. */
function compareArchive(
  target: number,
  lengths: number[],
  codec: Codec,
  content: Hasher,
  file: Hasher,
): void {
  const found = hasher(true)
  const packed = new Uint8Array(Math.max(...lengths))
  let position = 0
  for (const length of lengths) {
    const bytes = packed.subarray(0, length)
    if (fill(target, bytes, position) !== length) throw damaged()
    file.add(bytes)
    found.add(codec.unpack(bytes))
    position += length
  }
  if (found.sha256() !== content.sha256()) throw damaged()
}

const damaged = () => new Error('the archive does not hold what was read from the log')

function compressByProgram(
  { source, target }: CompressionTask,
  { program, args, env }: { program: string; args: string[]; env?: Record<string, string> },
) {
  const result = spawnSync(program, args, { stdio: [source, target, 'pipe'], ...(env && { env }) })
  const digests = {
    read: { bytes: fstatSync(source).size, sha256: '' },
    written: { bytes: fstatSync(target).size, sha256: '' },
    stderr: result.error ? reasonOf(result.error) : (result.stderr?.toString() ?? ''),
  }
  if (result.error) return { ...digests, failure: 'not-started' as const }
  if (result.status !== 0) return { ...digests, failure: 'failed' as const }
  fsyncSync(target)
  return digests
}

/** "No such file or directory" */
function reasonOf(error: Error): string {
  if (!('code' in error)) return error.message
  if (error.code === 'ENOENT') return 'No such file or directory'
  return error.code === 'EACCES' ? 'Permission denied' : String(error.code)
}

/** Reads until the buffer is full or the file ends; returns the bytes read. */
function fill(descriptor: number, buffer: Uint8Array, position: number): number {
  let filled = 0
  while (filled < buffer.length) {
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done)
  }
}

let sinceCollection = 0

/** The runtime does not count what its codecs return, and would let it grow. */
function giveBackMemory(bytes: number): void {
  sinceCollection += bytes
  if (sinceCollection < COLLECT_BYTES) return
  sinceCollection = 0
  Bun.gc(true)
}

type Hasher = ReturnType<typeof hasher>

function hasher(wanted: boolean) {
  const hash = wanted ? createHash('sha256') : undefined
  let digest: string | undefined
  return {
    add: (bytes: Uint8Array) => hash?.update(bytes),
    sha256: () => {
      digest ??= hash?.digest('hex') ?? ''
      return digest
    },
  }
}
