import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'

/** Does something as another user and group, as far as the files go; scripts keep running as the caller. */
export function asUser<T>(su: { uid: number; gid: number } | undefined, act: () => T): T {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  if (!su || (su.uid === uid && su.gid === gid)) return act()
  switchTo(su.uid, su.gid)
  try {
    return act()
  } finally {
    switchTo(uid, gid)
  }
}

/** Only the caller's user may change the group, so that one comes between. */
function switchTo(uid: number, gid: number): void {
  process.seteuid?.(process.getuid?.() ?? 0)
  process.setegid?.(gid)
  process.seteuid?.(uid)
}

/** Back to who called, for scripts. */
export function asCaller<T>(act: () => T): T {
  return asUser({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, act)
}

/** Whether the ids that hold now are those of who called. */
export function isAsCaller(): boolean {
  return process.geteuid?.() === process.getuid?.() && process.getegid?.() === process.getgid?.()
}

/** Runs a program with all its ids those that hold now: it cannot get back to the caller's. */
export function runAsCurrent(file: string, args: string[], options: SpawnSyncOptions) {
  if (isAsCaller()) return spawnSync(file, args, options)
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  return asCaller(() => spawnSync(file, args, { ...options, uid, gid }))
}

// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETUID
const POWERS = (1n << 1n) | (1n << 2n) | (1n << 7n)

/** Whether the rules for root hold: for root, and for an account that has as much power over files. */
export function isPrivileged(): boolean {
  if (process.geteuid?.() === 0) return true
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return (BigInt(`0x${line?.[1] ?? '0'}`) & POWERS) !== 0n
}

/** Becomes root for good where this process may: a job then acts, and runs scripts, as logrotate does. */
export function becomeRoot(): void {
  if (process.getuid?.() === 0 || !isPrivileged()) return
  process.setgroups?.([0])
  process.setgid?.(0)
  process.setuid?.(0)
}

/** Numbers of accounts, of the files of the system. */
export const accounts = {
  userId: (name: string) => lookUp('/etc/passwd', name),
  groupId: (name: string) => lookUp('/etc/group', name),
  home: () => process.env.HOME ?? homedir(),
}

function lookUp(path: string, name: string): number | undefined {
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`))
  const id = line?.split(':')[2]
  return id === undefined ? undefined : Number(id)
}
