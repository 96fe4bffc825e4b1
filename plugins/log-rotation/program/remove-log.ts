import { closeSync, constants, fstatSync, openSync, unlinkSync } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { describe } from './describe.ts'
import { runAsCurrent } from './identity.ts'
import type { Output } from './output.ts'
import { runScript } from './run-script.ts'

/** Runs the preremove script, then unlinks or shreds. Errors are told; false when the file is still there. */
export function removeLog(path: string, set: LogSet, output: Output): boolean {
  const { preremove } = set.settings.scripts
  if (preremove !== undefined) {
    output.debug('running preremove script')
    if (!runScript(preremove, [path], output)) {
      output.error(`error running preremove script for ${path} of '${set.pattern}'. Not removing this file.`)
      return false
    }
  }
  if (set.settings.shred && shred(path, set, output)) return true
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      output.warning(`Failed to remove old log ${path}: ${describe(error)}`)
      return true
    }
    output.error(`error unlinking log file ${path}: ${describe(error)}`)
    return false
  }
}

/** The file is given by its descriptor: its name is never an argument that could be an option. */
function shred(path: string, { settings, pattern }: LogSet, output: Output): boolean {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    if (!settings.allowHardLink && fstatSync(descriptor).nlink !== 1) {
      output.error(
        `failed to shred "${path}", because shredding files with multiple hard links is disabled for ${pattern}.`,
      )
      return false
    }
    output.debug(`Using shred to remove the file ${path}`)
    const cycles = settings.shredCycles > 0 ? ['-n', String(settings.shredCycles)] : []
    const result = runAsCurrent('shred', ['-u', ...cycles, '--', path], {
      stdio: ['ignore', output.captures ? 2 : 'inherit', 'inherit'],
    })
    if (result.status === 0) return true
    output.error(`Failed to shred ${path}, trying unlink`)
    return false
  } finally {
    closeSync(descriptor)
  }
}
