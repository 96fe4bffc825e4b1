import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { architecture, NUMBERS, systemCall } from '../../../agent/host/libc.ts'
import { formatState, parseState } from '../logrotate/state.ts'
import { createFile, syncDirectoryOf } from './create-file.ts'
import { describe } from './describe.ts'
import type { Output } from './output.ts'
import type { State } from './rotate-set.ts'

const YEAR_MS = 365 * 86_400_000
const [LOCK_EXCLUSIVE, LOCK_NO_WAIT, WOULD_BLOCK] = [2, 4, -11]

export type Lock = 'taken' | 'none' | 'held-by-another'

/** Holds the state file until the process ends. A file that others may read is not locked: they could hold it. */
export function lockState(path: string, wait: boolean, output: Output): Lock {
  if (path === '/dev/null') return 'none'
  if (!lstatSync(path, { throwIfNoEntry: false })) {
    output.debug(`Creating stub state file: ${path}`)
    const stub = createFile(path, {
      mode: 0o640,
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    })
    writeFileSync(stub, formatState(new Map()))
    closeSync(stub)
  }
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if ((fstatSync(descriptor).mode & 0o004) !== 0) {
    output.warning(
      `state file ${path} is world-readable and thus can be locked from other unprivileged users. Skipping lock acquisition...`,
    )
    closeSync(descriptor)
    return 'none'
  }
  const result = systemCall(
    NUMBERS[architecture()].flock,
    descriptor,
    wait ? LOCK_EXCLUSIVE : LOCK_EXCLUSIVE | LOCK_NO_WAIT,
  )
  if (result === 0) return 'taken'
  if (result === WOULD_BLOCK) {
    output.error(`state file ${path} is already locked`)
    output.error('logrotate does not support parallel execution on the same set of logfiles.')
    return 'held-by-another'
  }
  throw new Error(`error acquiring lock on state file ${path}: errno ${-result}`)
}

export function readState(path: string, output: Output): State {
  output.debug(`Reading state from file: ${path}`)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) {
    output.debug(`state file ${path} does not exist`)
    return new Map()
  }
  if (path === '/dev/null') return new Map()
  const { entries, problems } = parseState(readFileSync(path, 'utf8'), path)
  for (const problem of problems) output.error(problem)
  return entries
}

/** Replaces the state file at once. Logs that no set names and that were not rotated for a year are forgotten. */
export function writeState(
  path: string,
  state: State,
  considered: ReadonlySet<string>,
  now: Date,
  output: Output,
): void {
  if (path === '/dev/null') return
  const kept = [...state].filter(([log, at]) => {
    if (now.getTime() - at.getTime() <= YEAR_MS || considered.has(log)) return true
    output.debug(
      `Removing ${log} from state file, because it does not exist and has not been rotated for one year`,
    )
    return false
  })
  const before = lstatSync(path, { throwIfNoEntry: false })
  if (before && !before.isFile()) {
    output.error(`state file ${path} is no regular file, it is not written`)
    return
  }
  const temporary = `${path}.tmp`
  if (lstatSync(temporary, { throwIfNoEntry: false })) unlinkSync(temporary)
  try {
    const mine = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const descriptor = createFile(temporary, { mode: 0o640, ...mine })
    try {
      writeFileSync(descriptor, formatState(new Map(kept)))
      if (before) {
        fchownSync(descriptor, before.uid, before.gid)
        fchmodSync(descriptor, before.mode & 0o7770)
      }
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, path)
    syncDirectoryOf(path)
  } catch (error) {
    output.error(`error creating temp state file ${temporary}: ${describe(error)}`)
  }
}
