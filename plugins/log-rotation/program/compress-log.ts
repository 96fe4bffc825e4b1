import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  futimesSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { gzipSync, constants as zlib } from 'node:zlib'
import type { Settings } from '../logrotate/settings.ts'
import { copyAccessList } from './acl.ts'
import { createFile, likeStat, setAside, syncDirectoryOf } from './create-file.ts'
import { runAsCurrent } from './identity.ts'
import type { Output } from './output.ts'

/** What is larger goes through the program: it takes no more memory for a larger log. */
const BUILT_IN_BYTES = 16 * 1_048_576

/**
 * Writes `NAME.gz` under a temporary name, has it on the disk, renames it. The log itself is left to the caller.
 * Throws, and leaves nothing behind, when the program fails. The archive is as old as `modifiedAt`, or as the file.
 */
export function compressLog(
  path: string,
  settings: Settings,
  now: Date,
  output: Output,
  modifiedAt?: Date,
): void {
  const target = path + settings.compressExtension
  output.debug(`compressing log with: ${settings.compressCommand}`)
  const temporary = `${dirname(target)}/.${basename(target)}.reeve-tmp`
  const source = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stat = fstatSync(source)
    discard(temporary)
    const descriptor = createFile(temporary, likeStat(stat))
    try {
      copyAccessList(source, descriptor)
      pack(path, source, descriptor, stat.size, settings, output)
      futimesSync(descriptor, stat.atimeMs / 1000, (modifiedAt?.getTime() ?? stat.mtimeMs) / 1000)
      fsyncSync(descriptor)
      if (statSync(target, { throwIfNoEntry: false })) setAside(target, now, output)
      renameSync(temporary, target)
    } catch (error) {
      discard(temporary)
      throw error
    } finally {
      closeSync(descriptor)
    }
    syncDirectoryOf(target)
  } finally {
    closeSync(source)
  }
}

function pack(
  path: string,
  source: number,
  target: number,
  bytes: number,
  { compressCommand, compressOptions }: Settings,
  output: Output,
): void {
  const level = /^-([1-9])$/.exec(compressOptions.join(' '))?.[1]
  if (compressCommand === '/bin/gzip' && level !== undefined && bytes <= BUILT_IN_BYTES) {
    writeFileSync(
      target,
      gzipSync(readFileSync(source), { level: Number(level), strategy: zlib.Z_DEFAULT_STRATEGY }),
    )
    return
  }
  const result = runAsCurrent(compressCommand, compressOptions, { stdio: [source, target, 'pipe'] })
  const said = result.stderr?.toString() ?? ''
  if (said !== '') {
    output.complaint(
      `Compressing program wrote following message to stderr when compressing log ${path}:\n${said.trimEnd()}`,
    )
  }
  if (result.error)
    throw new Error(`cannot execute compress command '${compressCommand}'`, { cause: result.error })
  if (result.status !== 0) throw new Error(`failed to compress log ${path}`)
}

function discard(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })) unlinkSync(path)
}
