import {
  describeError,
  formatBytes,
  type HostReader,
  type RunningProgram,
} from '../../../agent/contract/mod.ts'
import type { ArchiveEntry } from '../archive/entry.ts'
import type { ArchiveLog, Member } from '../archive/writer.ts'
import type { DumpConfig } from './config.ts'
import { memorySource } from './memory-source.ts'

// How long a dump is, is known at its end only, and a tar archive wants it before. So a dump is kept in memory up to
// the size of a part: one that fits is one file, a longer one is files that "cat" joins.

const PART_BYTES = 16_777_216
const TAIL_BYTES = 4096
export const DUMP_DIRECTORY = 'reeve-dumps'

export interface DumpContext {
  signal: AbortSignal
  now: Date
  /** The value behind a secret reference. */
  secret(reference: string): string
  /** Bytes of each dump in the last backup. */
  lastBytes: Readonly<Record<string, number>>
}

/** The output of programs. What failed is a problem in the log: what it gave is in the archive nevertheless. */
export async function* collectDumps(
  host: HostReader,
  dumps: readonly DumpConfig[],
  log: ArchiveLog,
  context: DumpContext,
  onDumped: (name: string, bytes: number) => void,
): AsyncGenerator<[Member]> {
  for (const dump of dumps) {
    const fail = (reason: string) => log.problem(`dump ${dump.name}`, 'dump-failed', reason)
    let program: RunningProgram | undefined
    const limit = AbortSignal.any([context.signal, AbortSignal.timeout(dump.timeout)])
    try {
      const env = Object.fromEntries(
        Object.entries(dump.secrets).map(([name, reference]) => [name, context.secret(reference)]),
      )
      program = host.start(dump.command, { env, signal: limit })
      const output = new DumpParts(dump.name, context.now.getTime())
      for await (const chunk of program.stdout) {
        for (let offset = 0; offset < chunk.length; ) {
          offset += output.add(chunk.subarray(offset))
          if (output.isPartFull) yield [output.takePart()]
        }
      }
      const last = output.takeLast()
      if (last) yield [last]
      const { exitCode, signal, stderr } = await program.ended
      context.signal.throwIfAborted()
      const reason = limit.aborted
        ? 'it took longer than it may'
        : (whyFailed(exitCode, signal, stderr) ?? whyImplausible(dump, output, context.lastBytes[dump.name]))
      if (reason === undefined) onDumped(dump.name, output.bytes)
      else fail(reason)
    } catch (error) {
      context.signal.throwIfAborted()
      fail(describeError(error))
    } finally {
      program?.kill()
    }
  }
}

function whyFailed(exitCode: number | null, signal: string | null, stderr: string): string | undefined {
  if (exitCode === 0) return undefined
  const said = stderr.trim().split('\n').at(-1)?.slice(0, 500) ?? ''
  const how = exitCode === null ? `it was ended by ${signal}` : `it ended with ${exitCode}`
  return said === '' ? how : `${how}: ${said}`
}

/** Why a dump cannot be whole, though its program says so; undefined when it may be. */
export function whyImplausible(
  { minBytes, endsWith, maxShrink }: Pick<DumpConfig, 'minBytes' | 'endsWith' | 'maxShrink'>,
  { bytes, tail }: { bytes: number; tail: string },
  lastBytes: number | undefined,
): string | undefined {
  if (bytes < minBytes) return bytes === 0 ? 'it is empty' : `it has ${formatBytes(bytes)} only`
  if (endsWith !== undefined && !tail.includes(endsWith)) return `it does not end with "${endsWith}"`
  if (lastBytes !== undefined && bytes * maxShrink < lastBytes) {
    return `it has ${formatBytes(bytes)}, and the last one had ${formatBytes(lastBytes)}`
  }
  return undefined
}

/** The output of a program, in files. */
class DumpParts {
  bytes = 0
  private readonly buffer = Buffer.allocUnsafeSlow(PART_BYTES)
  private used = 0
  private parts = 0
  private lastBytes = Buffer.alloc(0)

  constructor(
    private readonly name: string,
    private readonly mtimeMs: number,
  ) {}

  /** How many bytes it took. */
  add(chunk: Uint8Array): number {
    const part = chunk.subarray(0, PART_BYTES - this.used)
    this.buffer.set(part, this.used)
    this.used += part.length
    this.bytes += part.length
    this.lastBytes = Buffer.concat([this.lastBytes, part.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
    return part.length
  }

  get isPartFull(): boolean {
    return this.used === PART_BYTES
  }

  get tail(): string {
    return this.lastBytes.toString('utf8')
  }

  takePart(): Member {
    this.parts++
    return this.take(`${this.name}.part-${String(this.parts).padStart(6, '0')}`)
  }

  /** What is left; all of it under the plain name where there was no part before. */
  takeLast(): Member | undefined {
    if (this.parts === 0) return this.take(this.name)
    return this.used > 0 ? this.takePart() : undefined
  }

  private take(name: string): Member {
    const source = memorySource(this.buffer.subarray(0, this.used), this.mtimeMs)
    const entry: ArchiveEntry = {
      name: `${DUMP_DIRECTORY}/${name}`,
      type: 'file',
      mode: 0o600,
      uid: 0,
      gid: 0,
      userName: 'root',
      groupName: 'root',
      size: this.used,
      mtimeNs: source.stat.mtimeNs,
      linkName: '',
      deviceMajor: 0,
      deviceMinor: 0,
    }
    this.used = 0
    return { entry, path: `dump ${this.name}`, source }
  }
}
