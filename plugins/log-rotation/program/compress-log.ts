import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  futimesSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import type { CompressionResult } from '../../../agent/host/compression.ts'
import { type Compression, compressor } from '../../../agent/host/compressor.ts'
import type { Settings } from '../logrotate/settings.ts'
import { copyAccessList } from './acl.ts'
import { createFile, likeStat, setAside, syncDirectoryOf } from './create-file.ts'
import { isAsCaller, runAsCurrent } from './identity.ts'
import type { Output } from './output.ts'

/** A log that is being compressed under a temporary name. The log itself is left to the caller. */
export interface LogCompression {
  /**
   * Waits, and gives the archive its name, which outlives a power loss once the directory is synced. Throws, and
   * leaves nothing behind, when it failed. The archive is as old as `modifiedAt`, or as the log.
   */
  finish(now: Date, modifiedAt?: Date): void
}

export function startCompression(path: string, settings: Settings, output: Output): LogCompression {
  const target = path + settings.compressExtension
  output.debug(`compressing log with: ${settings.compressCommand}`)
  const temporary = temporaryArchive(target)
  const files = openFiles(path, temporary)
  let compression: Compression
  try {
    compression = start(files, settings)
  } catch (error) {
    files.close()
    discard(temporary)
    throw error
  }
  return {
    finish(now, modifiedAt) {
      try {
        report(compression.wait(), path, settings, output)
        const { atimeMs, mtimeMs } = files.stat
        futimesSync(files.target, atimeMs / 1000, (modifiedAt?.getTime() ?? mtimeMs) / 1000)
        if (statSync(target, { throwIfNoEntry: false })) setAside(target, now, output)
        renameSync(temporary, target)
      } catch (error) {
        discard(temporary)
        throw error
      } finally {
        files.close()
      }
    },
  }
}

/** One log at once; its archive outlives a power loss when this returns. */
export function compressLog(path: string, settings: Settings, now: Date, output: Output): void {
  startCompression(path, settings, output).finish(now)
  syncDirectoryOf(path)
}

/** Known beforehand, so that a later run can remove what a crash left. */
export function temporaryArchive(target: string): string {
  return `${dirname(target)}/.${basename(target)}.reeve-tmp`
}

interface Files {
  source: number
  target: number
  stat: Stats
  close(): void
}

function openFiles(path: string, temporary: string): Files {
  const source = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stat = fstatSync(source)
    discard(temporary)
    const target = createFile(temporary, likeStat(stat))
    try {
      copyAccessList(source, target)
    } catch (error) {
      closeSync(target)
      discard(temporary)
      throw error
    }
    return {
      source,
      target,
      stat,
      close: () => {
        closeSync(target)
        closeSync(source)
      },
    }
  } catch (error) {
    closeSync(source)
    throw error
  }
}

function start({ source, target }: Files, { compressCommand, compressOptions }: Settings): Compression {
  const level = /^-([1-9])$/.exec(compressOptions.join(' '))?.[1]
  if (compressCommand === '/bin/gzip' && level !== undefined) {
    return compressor.start({ source, target, how: { format: 'gzip', level: Number(level) }, prove: false })
  }
  const how = { program: compressCommand, args: compressOptions }
  if (isAsCaller()) return compressor.start({ source, target, how, prove: false })
  // With ids of its own: they belong to the process, so no thread may start it.
  const result = runProgram(source, target, how)
  return { wait: () => result, cancel: () => {} }
}

function runProgram(
  source: number,
  target: number,
  how: { program: string; args: string[] },
): CompressionResult {
  const result = runAsCurrent(how.program, how.args, { stdio: [source, target, 'pipe'] })
  const digest = { bytes: 0, sha256: '' }
  fsyncSync(target)
  return {
    read: digest,
    written: digest,
    stderr: result.stderr?.toString() ?? '',
    ...(result.error ? { failure: 'not-started' } : result.status !== 0 && { failure: 'failed' }),
  }
}

/** Throws when a program failed. */
function report(
  result: CompressionResult | undefined,
  path: string,
  { compressCommand }: Settings,
  output: Output,
): void {
  const said = result?.stderr ?? ''
  if (said !== '') {
    output.complaint(
      `Compressing program wrote following message to stderr when compressing log ${path}:\n${said.trimEnd()}`,
    )
  }
  if (result?.failure === 'not-started')
    throw new Error(`cannot execute compress command '${compressCommand}'`)
  if (!result || result.failure) throw new Error(`failed to compress log ${path}`)
}

function discard(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })) unlinkSync(path)
}
