import { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { FileSource, HostReader } from '../../agent/contract/mod.ts'
import type { Packing } from './format.ts'
import { TarNames } from './tar-names.ts'

const CHUNK_BYTES = 1024 * 1024
/** Programs that unpack what the runtime does not. */
export const UNPACKERS: Partial<Record<Packing, [string, ...string[]]>> = {
  xz: ['/usr/bin/xz', '--decompress', '--stdout', '--'],
  bzip2: ['/usr/bin/bzip2', '--decompress', '--stdout', '--'],
  lz4: ['/usr/bin/lz4', '--decompress', '--stdout', '--'],
}

/** What an archive holds, as far as it was looked at. */
export interface Contents {
  names: string[]
  /** It has more than may be unpacked. */
  isCut: boolean
}

export interface Limits {
  maxBytes: number
  signal: AbortSignal
}

/**
 * The names in a tar archive that `wanted` takes, packed or not; undefined when it is no tar archive. Throws when it is
 * damaged, or cannot be unpacked.
 */
export async function listArchive(
  host: HostReader,
  path: string,
  packing: Packing,
  wanted: (name: string) => boolean,
  { maxBytes, signal }: Limits,
): Promise<Contents | undefined> {
  const names: string[] = []
  const tar = new TarNames((name) => {
    if (wanted(name)) names.push(name)
  })
  let total = 0
  let isCut = false
  for await (const chunk of unpacked(host, path, packing, signal)) {
    signal.throwIfAborted()
    // What is packed need not be an archive: a dump is not.
    if (total === 0 && Buffer.from(chunk).subarray(257, 262).toString('latin1') !== 'ustar') return undefined
    total += chunk.length
    if (total > maxBytes) {
      isCut = true
      break
    }
    tar.add(chunk)
  }
  if (!isCut) tar.end()
  return { names, isCut }
}

async function* unpacked(
  host: HostReader,
  path: string,
  packing: Packing,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const program = UNPACKERS[packing]
  if (program) {
    const real = host.root === '/' ? path : `${host.root}${path}`
    if (!host.statTarget(program[0])) throw new Error(`${program[0]} is not installed, which unpacks it`)
    const child = host.start([...program, real], { signal })
    try {
      yield* child.stdout
      const { exitCode, stderr } = await child.ended
      if (exitCode !== 0) throw new Error(stderr.trim().split('\n')[0] || `${program[0]} failed`)
    } finally {
      child.kill()
    }
    return
  }
  const file = host.open(path)
  try {
    if (packing === 'none') {
      yield* chunksOf(file)
      return
    }
    const input = Readable.from(chunksOf(file), { objectMode: false })
    const output = packing === 'gzip' ? createGunzip() : createZstdDecompress()
    input.on('error', (error) => output.destroy(error))
    input.pipe(output)
    try {
      yield* output
    } finally {
      input.destroy()
      output.destroy()
    }
  } finally {
    file.close()
  }
}

function* chunksOf(file: FileSource): Generator<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = new Uint8Array(CHUNK_BYTES)
    const count = file.read(buffer, position)
    if (count === 0) return
    yield buffer.subarray(0, count)
    position += count
  }
}
