import { closeSync, constants, fchmodSync, fchownSync, mkdirSync, openSync, type Stats } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import type { LogSet, Ownership } from '../logrotate/settings.ts'
import { describe } from './describe.ts'
import { Files, splitPath } from './files.ts'
import { asUser } from './identity.ts'
import type { Output } from './output.ts'
import { directoryOf } from './rotation-names.ts'
import { worksOnHandles } from './works-on-handles.ts'

/** Looks at the olddir of every log of a set, or makes it. False: the set is of no use, which has been told. */
export function verifyOldDirectory(set: LogSet, place: string, dryRun: boolean, output: Output): boolean {
  if (set.settings.oldDirectory === undefined) return true
  using files = new Files(worksOnHandles(set.settings.su))
  const pretended = dryRun ? new Set<string>() : undefined
  return set.files.every((log) => verifyFor(log, set, files, place, pretended, output))
}

function verifyFor(
  log: string,
  { settings }: LogSet,
  files: Files,
  place: string,
  pretended: Set<string> | undefined,
  output: Output,
): boolean {
  const logDirectory = splitPath(log).directory
  let logStat: Stats
  try {
    logStat = files.directory(logDirectory)
  } catch (error) {
    if (settings.missingOk) {
      output.debug(
        `${place} verifying log file path failed ${logDirectory}: ${describe(error)}, log is probably missing, but missingok is set, so this is not an error.`,
      )
      return true
    }
    output.error(`${place} error verifying log file path ${logDirectory}: ${describe(error)}`)
    return false
  }
  const directory = directoryOf(log, settings)
  let old: Stats
  try {
    old = files.directory(directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || !settings.createOldDirectory) {
      output.error(`${place} error verifying olddir path ${directory}: ${describe(error)}`)
      return false
    }
    if (pretended?.has(directory)) return true
    const make = () => {
      tellNew(directory, settings.oldDirectoryAs, output)
      // A dry run goes on as if it were there now.
      return pretended
        ? pretended.add(directory).size > 0
        : makePath(directory, settings.oldDirectoryAs, files, output)
    }
    if (!asUser(pretended ? undefined : settings.su, make, output.debug)) return false
    if (pretended) return true
    try {
      old = files.directory(directory)
    } catch (missing) {
      output.error(`${place} error verifying created olddir path ${directory}: ${describe(missing)}`)
      return false
    }
  }
  const copies = settings.copyTruncate || settings.copy || settings.renameCopy
  if (logStat.dev === old.dev || copies) return true
  output.error(`${place} olddir ${settings.oldDirectory} and log file ${log} are on different devices`)
  return false
}

function tellNew(path: string, { mode = 0o755, uid = -1, gid = -1 }: Ownership, output: Output): void {
  output.debug(`creating new directory ${path} mode = 0${mode.toString(8)} uid = ${uid} gid = ${gid}`)
}

/** Every directory that is missing on the way is made with the wanted mode and owners. */
function makePath(path: string, like: Ownership, files: Files, output: Output): boolean {
  const parts = path.split('/')
  return parts.every((_, index) => {
    const part = parts.slice(0, index + 1).join('/')
    return part === '' || makeDirectory(part, like, files, output)
  })
}

function makeDirectory(path: string, like: Ownership, files: Files, output: Output): boolean {
  const mode = like.mode ?? 0o755
  try {
    mkdirSync(files.at(path), { mode })
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      output.error(`error creating ${path}: ${describe(error)}`)
      return false
    }
    if (isDirectory(path, files)) return true
    output.error(`path ${path} already exists, but it is not a directory`)
    return false
  }
  try {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
    const descriptor = openSync(files.at(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      if (like.uid !== undefined || like.gid !== undefined)
        fchownSync(descriptor, like.uid ?? -1, like.gid ?? -1)
      fchmodSync(descriptor, mode)
    } finally {
      closeSync(descriptor)
    }
    return true
  } catch (error) {
    output.error(`error setting owner or permissions of ${path}: ${describe(error)}`)
    return false
  }
}

function isDirectory(path: string, files: Files): boolean {
  try {
    return files.directory(path).isDirectory()
  } catch {
    return false
  }
}
