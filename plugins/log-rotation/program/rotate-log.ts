import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, type Stats } from 'node:fs'
import type { LogSet } from '../logrotate/settings.ts'
import { copyAccessList } from './acl.ts'
import { compressLog } from './compress-log.ts'
import { copyLog } from './copy-log.ts'
import { createKeepingOther, syncDirectoryOf } from './create-file.ts'
import { disposeOf } from './dispose-log.ts'
import type { Listener } from './listener.ts'
import type { Output } from './output.ts'
import type { NamePlan } from './plan-names.ts'
import { removeLog } from './remove-log.ts'

/** One log on its way through a rotation. */
export interface LogRotation {
  path: string
  set: LogSet
  names: NamePlan
  /** Of the log before it is rotated: a copy of it is no younger than its last line. */
  modifiedAt: Date
  now: Date
  mailCommand: string
  output: Output
  dryRun: boolean
  listener?: Listener | undefined
}

/** Moves the earlier ones one on and gives the log its new name, or copies it; makes its successor. Throws. */
export function rotateLog(rotation: LogRotation): void {
  const { path, set, names, now, output, dryRun } = rotation
  const { settings } = set
  if (!dryRun) compressEarlier(rotation)
  for (const aged of names.aged) {
    output.debug(`removing old log ${aged}`)
    if (!dryRun) disposeOf(aged, rotation)
  }
  for (const { from, to } of names.renames) {
    output.debug(`renaming ${from} to ${to}`)
    if (!dryRun) renameSync(from, to)
  }
  const moves = settings.keep === 'rename' || settings.keep === 'renamecopy'
  if (moves) {
    const target = settings.keep === 'renamecopy' ? temporaryOf(path) : names.final
    output.debug(`renaming ${path} to ${target}`)
    if (dryRun) return
    const stat = lstatSync(path)
    renameSync(path, target)
    if (settings.create) createSuccessor(rotation, target, stat)
    syncDirectoryOf(target)
    return
  }
  const keeps = settings.rotate !== 0 || settings.mail !== undefined
  output.debug(keeps ? `copying ${path} to ${names.final}` : `Not copying ${path}: no old logs will be kept`)
  if (dryRun) return
  copyLog(path, keeps ? names.final : undefined, settings.keep.endsWith('copytruncate'), now, output)
}

/** What `delaycompress` left at the last rotation. Throws. */
export function compressEarlier({ set, names, now, output }: LogRotation): void {
  for (const earlier of names.compress) {
    compressLog(earlier, set.settings, now, output)
    if (!removeLog(earlier, set, output))
      throw new Error(`Cannot remove "${earlier}" after it was compressed`)
  }
}

/** An empty log under the old name, with the old one's owner, mode and access list where none are set. */
function createSuccessor({ path, set, now, output }: LogRotation, old: string, stat: Stats): void {
  const { mode, uid, gid } = set.settings.create ?? {}
  const like = { mode: (mode ?? stat.mode) & 0o7777, uid: uid ?? stat.uid, gid: gid ?? stat.gid }
  output.debug(`creating new ${path} mode = 0${like.mode.toString(8)} uid = ${like.uid} gid = ${like.gid}`)
  const descriptor = createKeepingOther(path, like, now, output)
  try {
    if (mode === undefined) {
      const source = openSync(old, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        copyAccessList(source, descriptor)
      } finally {
        closeSync(source)
      }
    }
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

export const temporaryOf = (path: string) => `${path}.tmp`
