import { closeSync, fstatSync } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { describe } from './describe.ts'
import type { Files } from './files.ts'
import { runAsCurrent } from './identity.ts'
import { openLog } from './open-log.ts'
import type { Output } from './output.ts'
import { runScript } from './run-script.ts'

/** What removing needs to know of a rotation. */
export interface Removal {
  set: LogSet
  files: Files
  output: Output
  dryRun: boolean
}

/** Removes an old log. False: it is still there, which has been told. */
export function removeLog(path: string, removal: Removal): boolean {
  const { set, files, output, dryRun } = removal
  output.debug(`removing old log ${path}`)
  let descriptor: number | undefined
  try {
    if (set.settings.shred) descriptor = openLog(files, path, set.settings, 'write')
  } catch (error) {
    output.error(`error opening ${path}: ${describe(error)}`)
    return false
  }
  try {
    const reason = dryRun ? undefined : disposeOf(path, descriptor, removal)
    if (reason === undefined) return true
    output.error(`Failed to remove old log ${path}: ${reason}`)
    return false
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/**
 * Runs the preremove script, shreds if wanted, unlinks. `descriptor` is of the file that is to be shredded. Returns
 * the system's words when the file is still there.
 */
export function disposeOf(
  path: string,
  descriptor: number | undefined,
  removal: Removal,
): string | undefined {
  const { set, output, dryRun } = removal
  const { preremove } = set.settings.scripts
  if (preremove !== undefined) {
    output.debug('running preremove script')
    if (!runScript(preremove, [path], dryRun, output)) {
      output.error(`error running preremove script for ${path} of '${set.pattern}'. Not removing this file.`)
      return 'Success'
    }
  }
  if (set.settings.shred && descriptor !== undefined && !shred(path, descriptor, removal)) return 'Success'
  return unlink(path, removal)
}

/** The file is given as standard output: its name is never an argument. False: it must not be unlinked. */
function shred(path: string, descriptor: number, { set, output }: Removal): boolean {
  const { settings, pattern } = set
  if (!settings.allowHardLink && fstatSync(descriptor).nlink !== 1) {
    output.error(
      `failed to shred "${path}", because shredding files with multiple hard links is disabled for ${pattern}.`,
    )
    return false
  }
  output.debug(`Using shred to remove the file ${path}`)
  const cycles = settings.shredCycles > 0 ? ['-n', String(settings.shredCycles)] : []
  const result = runAsCurrent(
    'shred',
    ['-u', ...cycles, '-'],
    { stdio: ['inherit', descriptor, 'inherit'] },
    output.debug,
  )
  if (result.error) output.error(`cannot execute shred command: ${describe(result.error)}`)
  if (result.error || result.status !== 0) output.error(`Failed to shred ${path}, trying unlink`)
  return true
}

function unlink(path: string, { files, output }: Removal): string | undefined {
  try {
    files.unlink(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return describe(error)
    // A log that is gone already is what was wanted.
    output.error(`error unlinking log file ${path}: ${describe(error)}`)
  }
  return undefined
}
