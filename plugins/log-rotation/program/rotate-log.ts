import { closeSync, constants, openSync } from 'node:fs'
import { readAccessList } from './acl.ts'
import { copyLog } from './copy-log.ts'
import { CreateFailure, createOutputFile, nameOutputFile, temporaryName } from './create-file.ts'
import { describe } from './describe.ts'
import type { LogRotation } from './rotation.ts'

export const temporaryOf = (path: string): string => `${path}.tmp`

/** Gives the log its new name and makes its successor, or copies it. False: an error, which has been told. */
export function rotateLog(rotation: LogRotation): boolean {
  const { path, set } = rotation
  const { rotate, copy, copyTruncate, renameCopy, create, mail } = set.settings
  if (!copy && !copyTruncate) {
    const source = openForAttributes(rotation)
    try {
      const isMoved = moveLog(rotation)
      if (!isMoved || !create) return isMoved
      return createSuccessor(rotation, source)
    } finally {
      if (source !== undefined) closeSync(source)
    }
  }
  return renameCopy || copyLog(rotation, path, rotate !== 0 || mail !== undefined)
}

/** Only a handle: of a log that its user may not read there is no access list to be had. */
export function openForAttributes(
  { path, set, files, dryRun }: LogRotation,
  from = path,
): number | undefined {
  if (dryRun || !set.settings.create) return undefined
  try {
    return openSync(files.at(from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}

function moveLog({ path, set, names, files, output, dryRun }: LogRotation): boolean {
  const { rotate, renameCopy, compress, delayCompress, compressExtension } = set.settings
  const target = renameCopy ? temporaryOf(path) : names.final
  output.debug(`renaming ${path} to ${target}`)
  let isMoved = true
  try {
    if (!dryRun) files.rename(path, target)
  } catch (error) {
    output.error(`failed to rename ${path} to ${target}: ${describe(error)}`)
    isMoved = false
  }
  if (rotate === 0) {
    names.dispose = names.final + (compress && !delayCompress ? compressExtension : '')
    output.debug(`disposeName will be ${names.dispose}`)
  }
  return isMoved
}

/** An empty log under the old name, with the old one's owner, mode and access list where none are set. */
export function createSuccessor(rotation: LogRotation, source: number | undefined): boolean {
  const { path, set, attributes, files, now, output, dryRun } = rotation
  const { mode, uid, gid } = set.settings.createAs
  const like = {
    mode: mode ?? attributes.mode & 0o777,
    uid: uid ?? attributes.uid,
    gid: gid ?? attributes.gid,
  }
  output.debug(`creating new ${path} mode = 0${like.mode.toString(8)} uid = ${like.uid} gid = ${like.gid}`)
  if (dryRun) return true
  try {
    const accessList = mode === undefined && source !== undefined ? readAccessList(source) : undefined
    // It gets its name when it is ready, so that there never is one that its writer may not use.
    const temporary = temporaryName(path, 'new')
    files.removeIfThere(temporary)
    const wanted = { ...like, accessList, contextOf: source }
    closeSync(createOutputFile(files, temporary, wanted, now, output, path))
    nameOutputFile(files, temporary, path, now, output)
    return true
  } catch (error) {
    files.removeIfThere(temporaryName(path, 'new'))
    if (!(error instanceof CreateFailure)) output.error(`getting file ACL ${path}: ${describe(error)}`)
    return false
  }
}
