import { closeSync, fsyncSync } from 'node:fs'
import type { CompressionResult } from '../../../agent/host/compression.ts'
import { type Compression, compressor } from '../../../agent/host/compressor.ts'
import type { LogSet, Settings } from '../logrotate/settings.ts'
import { readAccessList } from './acl.ts'
import { type Attributes, setTimes } from './attributes.ts'
import { textOf } from './bytes.ts'
import { CreateFailure, createOutputFile, setAside } from './create-file.ts'
import { describe } from './describe.ts'
import { hasNoRoom } from './disk-trouble.ts'
import { cleanEnvironment } from './environment.ts'
import { type Files, splitPath } from './files.ts'
import { isAsCaller, runAsCurrent } from './identity.ts'
import { openLog } from './open-log.ts'
import type { Output } from './output.ts'
import { disposeOf } from './remove-log.ts'
import { passable, startable } from './run-program.ts'

/** What compressing needs to know of a rotation. */
export interface Compressing {
  set: LogSet
  files: Files
  output: Output
  now: Date
  dryRun: boolean
}

/** A log that is being compressed under a temporary name. */
export interface LogCompression {
  /** Waits, and gives the archive its name. False: an error, which has been told; nothing but the log is left. */
  name(): boolean
  /** Removes the log, once the archive's name would outlive a power loss. False: an error, which has been told. */
  removeLog(): boolean
  /** Instead of both: the log stays as it is. */
  abandon(): void
}

/** One log at once; when this returns its archive outlives a power loss. False: an error, which has been told. */
export function compressLog(path: string, attributes: Attributes, compressing: Compressing): boolean {
  const compression = startCompression(path, attributes, compressing)
  if (!compression?.name()) return false
  compressing.files.sync()
  return compression.removeLog()
}

/** The archive gets the mode, owners and times given. Undefined: an error, which has been told. */
export function startCompression(
  path: string,
  attributes: Attributes,
  compressing: Compressing,
): LogCompression | undefined {
  const { set, files, output, dryRun } = compressing
  const { settings } = set
  output.debug(`compressing log with: ${settings.compressCommand}`)
  if (dryRun) return { name: () => true, removeLog: () => true, abandon: () => {} }
  let source: number
  try {
    source = openLog(files, path, settings, settings.shred ? 'write' : 'read')
  } catch (error) {
    const access = settings.shred ? 'read-write' : 'read-only'
    output.error(`unable to open ${path} (${access}) for compression: ${describe(error)}`)
    return undefined
  }
  try {
    return new RunningCompression(path, source, attributes, compressing)
  } catch (error) {
    output.note(error)
    if (!(error instanceof CreateFailure)) output.error(`failed to compress log ${path}`)
    closeSync(source)
    return undefined
  }
}

/** Known beforehand, so that a later run can remove what a crash left. */
export function temporaryArchive(target: string): string {
  const { directory, name } = splitPath(target)
  return `${directory}/.${name}.reeve-tmp`
}

class RunningCompression implements LogCompression {
  readonly #archive: string
  readonly #temporary: string
  readonly #target: number
  readonly #compression: Compression

  /** Throws; CreateFailure when it has been told. */
  constructor(
    readonly path: string,
    readonly source: number,
    readonly attributes: Attributes,
    readonly compressing: Compressing,
  ) {
    const { set, files, output, now } = compressing
    this.#archive = path + set.settings.compressExtension
    this.#temporary = temporaryArchive(this.#archive)
    if (files.exists(this.#archive)) setAside(files, this.#archive, now, output)
    if (files.exists(this.#temporary)) files.unlink(this.#temporary)
    const like = { ...attributes, accessList: this.#accessList(), contextOf: source }
    this.#target = createOutputFile(files, this.#temporary, like, now, output)
    try {
      this.#compression = start(path, source, this.#target, compressing)
    } catch (error) {
      this.#discard()
      throw error
    }
  }

  name(): boolean {
    const { path, compressing, attributes } = this
    const { files, output } = compressing
    try {
      report(this.#compression.wait(), path, compressing)
      setTimes(this.#target, attributes)
      files.rename(this.#temporary, this.#archive)
      closeSync(this.#target)
      return true
    } catch (error) {
      output.note(error)
      output.error(`failed to compress log ${path}`)
      this.#discard()
      closeSync(this.source)
      return false
    }
  }

  removeLog(): boolean {
    try {
      return disposeOf(this.path, this.source, this.compressing) === undefined
    } finally {
      closeSync(this.source)
    }
  }

  abandon(): void {
    this.#compression.cancel()
    try {
      this.#compression.wait()
    } catch {
      // Whatever came of it is removed.
    }
    this.#discard()
    closeSync(this.source)
  }

  #discard(): void {
    closeSync(this.#target)
    this.compressing.files.unlink(this.#temporary)
  }

  #accessList(): Uint8Array | undefined {
    try {
      return readAccessList(this.source)
    } catch (error) {
      this.compressing.output.error(`getting file ACL ${this.path}: ${describe(error)}`)
      throw new CreateFailure(this.path, { cause: error })
    }
  }
}

function start(path: string, source: number, target: number, { set, output }: Compressing): Compression {
  const { compressCommand, compressOptions } = set.settings
  const level = gzipLevel(set.settings)
  if (level !== undefined) {
    return compressor.start({ source, target, how: { format: 'gzip', level }, prove: false })
  }
  const variables = { LOGROTATE_COMPRESSED_FILENAME: path }
  const [program, args] = startable(compressCommand, compressOptions, variables)
  const env = { ...cleanEnvironment(process.env), ...passable(variables) }
  const how = { program, args, env }
  if (isAsCaller()) return compressor.start({ source, target, how, prove: false })
  // With ids of its own: they belong to the process, so no thread may start it.
  const result = runProgram(source, target, how, output)
  return { wait: () => result, cancel: () => {} }
}

const MAX_SAID_BYTES = 16 * 1_048_576

function runProgram(
  source: number,
  target: number,
  { program, args, env }: { program: string; args: string[]; env: Record<string, string> },
  output: Output,
): CompressionResult {
  const options = { stdio: [source, target, 'pipe' as const], env, maxBuffer: MAX_SAID_BYTES }
  const result = runAsCurrent(program, args, options, output.debug)
  const digest = { bytes: 0, sha256: '' }
  fsyncSync(target)
  return {
    read: digest,
    written: digest,
    stderr: result.error ? describe(result.error) : textOf(result.stderr as Uint8Array),
    ...(result.error ? { failure: 'not-started' } : result.status !== 0 && { failure: 'failed' }),
  }
}

/** Throws when a program failed. */
function report(
  result: CompressionResult | undefined,
  path: string,
  { set: { settings }, files, output }: Compressing,
): void {
  const said =
    result?.failure === 'not-started'
      ? `error: cannot execute compress command '${settings.compressCommand}': ${result.stderr}\n`
      : (result?.stderr ?? '')
  if (said !== '') {
    output.error(`Compressing program wrote following message to stderr when compressing log ${path}:`)
    output.raw(said)
  }
  if (!result || result.failure) {
    const isFull = result !== undefined && hasNoRoom(files.at(path), result.read.bytes)
    throw Object.assign(new Error(`Cannot compress "${path}"`), isFull ? { code: 'ENOSPC' } : {})
  }
}

/** Undefined: only the program itself does what its options say. */
function gzipLevel({ compressCommand, compressOptions }: Settings): number | undefined {
  if (compressCommand !== '/bin/gzip' && compressCommand !== 'gzip') return undefined
  const [option = '-6', ...more] = compressOptions
  if (more.length > 0) return undefined
  if (option === '--fast') return 1
  if (option === '--best') return 9
  return /^-[1-9]$/.test(option) ? Number(option.slice(1)) : undefined
}
