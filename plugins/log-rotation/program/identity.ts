import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe } from './describe.ts'
import { cleanEnvironment } from './environment.ts'

export interface Ids {
  uid: number
  gid: number
}

type Tell = (message: string) => void

/**
 * Does something as another user and group, as far as the files go; scripts keep running as the caller. Throws
 * SwitchFailure where the caller may not become that user.
 */
export function asUser<T>(su: Ids | undefined, act: () => T, tell?: Tell): T {
  const before = current()
  if (!su || isSame(su, before)) return act()
  switchTo(su, tell)
  try {
    return act()
  } finally {
    switchTo(before, tell)
  }
}

const isSame = (a: Ids, b: Ids) => a.uid === b.uid && a.gid === b.gid

const current = (): Ids => ({
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0,
})

export class SwitchFailure extends Error {}

/** Only the caller's user may change the group, so that one comes between. */
function switchTo({ uid, gid }: Ids, tell?: Tell): void {
  const before = current()
  const change = `euid from ${before.uid} to ${uid} and egid from ${before.gid} to ${gid} (pid ${process.pid})`
  tell?.(`switching ${change}`)
  try {
    process.seteuid?.(process.getuid?.() ?? 0)
    process.setegid?.(gid)
    process.seteuid?.(uid)
  } catch (error) {
    process.seteuid?.(before.uid)
    throw new SwitchFailure(`error switching ${change}: ${describe(error)}`, { cause: error })
  }
}

/** Back to who called, for scripts. */
export function asCaller<T>(act: () => T, tell?: Tell): T {
  return asUser({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, act, onlyOnce(tell))
}

/** A script's process ends as the caller: there is no way back to be told of. */
function onlyOnce(tell: Tell | undefined): Tell | undefined {
  let isTold = false
  return (message) => {
    if (!isTold) tell?.(message)
    isTold = true
  }
}

/** Whether the ids that hold now are those of who called. */
export const isAsCaller = (): boolean => idsForChild().uid === undefined

/** For a program that is to have all its ids those that hold now, so that it cannot get back to the caller's. */
export function idsForChild(): { uid?: number; gid?: number } {
  const { uid, gid } = current()
  return uid === process.getuid?.() && gid === process.getgid?.() ? {} : { uid, gid }
}

/** Runs a program with all its ids those that hold now. */
export function runAsCurrent(file: string, args: string[], options: SpawnSyncOptions, tell?: Tell) {
  const ids = idsForChild()
  const all = { env: cleanEnvironment(process.env), ...options }
  if (ids.uid === undefined) return spawnSync(file, args, all)
  tell?.(`switching uid to ${ids.uid} and gid to ${ids.gid} permanently (pid ${process.pid})`)
  return asCaller(() => spawnSync(file, args, { ...all, cwd: '/', ...ids }))
}

// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETUID
const POWERS = (1n << 1n) | (1n << 2n) | (1n << 7n)

/** Whether the rules for root hold: for root, and for an account that has as much power over files. */
export function isPrivileged(): boolean {
  if (process.getuid?.() === 0) return true
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return (BigInt(`0x${line?.[1] ?? '0'}`) & POWERS) !== 0n
}

/**
 * Becomes root for good where this process may: a job then acts, and runs scripts, as logrotate does. Throws where
 * the capabilities for it are there and the calls are refused.
 */
export function becomeRoot(): void {
  // As for the service of logrotate: reeve's own would take all rights of others from what a script makes.
  process.umask(0o022)
  if (process.getuid?.() === 0 || !isPrivileged()) return
  try {
    process.setgroups?.([0])
    process.setgid?.(0)
    process.setuid?.(0)
  } catch (error) {
    throw new Error(
      'Cannot become root, as whom logrotate and its scripts run: renew the unit ("reeve config unit"), which has to ' +
        'give CAP_SETUID and CAP_SETGID and to allow the calls of @setuid',
      { cause: error },
    )
  }
}
