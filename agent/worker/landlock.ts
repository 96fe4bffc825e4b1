import { closeSync, openSync, statSync } from 'node:fs'
import {
  LANDLOCK_ADD_RULE,
  LANDLOCK_CREATE_RULESET,
  LANDLOCK_RESTRICT_SELF,
  systemCall,
} from '../host/libc.ts'
import { toSystemPath } from '../host/names.ts'
import { errnoOf } from '../lib/errors.ts'

// Numbers from the kernel's include/uapi/linux/landlock.h.
const EXECUTE = 1n << 0n
const WRITE_FILE = 1n << 1n
const READ_FILE = 1n << 2n
const READ_DIR = 1n << 3n
const REMOVE_AND_MAKE = 0x1ff0n // REMOVE_DIR … MAKE_SYM
const REFER = 1n << 13n // ABI 2
const TRUNCATE = 1n << 14n // ABI 3
const IOCTL_DEV = 1n << 15n // ABI 5
const ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

const BIND_TCP = 1n << 0n
const CONNECT_TCP = 1n << 1n
const SCOPE_ABSTRACT_UNIX_SOCKET = 1n << 0n // ABI 6
const SCOPE_SIGNAL = 1n << 1n

const RULE_PATH_BENEATH = 1
const RULE_NET_PORT = 2
const CREATE_RULESET_VERSION = 1
const O_PATH = 0o10000000

export interface LandlockRules {
  list: string[]
  read: string[]
  /** Read, and execute as a program. */
  execute: string[]
  write: string[]
  connectPorts: number[]
  /** May signal processes outside of the run. */
  signals: boolean
}

/** The kernel's Landlock ABI, 0 when it has none or it is switched off. */
export function landlockAbi(): number {
  return Math.max(0, systemCall(LANDLOCK_CREATE_RULESET, 0, 0, CREATE_RULESET_VERSION))
}

/**
 * Restricts the calling thread, and all that it executes afterwards, to the rules. Paths that do not exist
 * are left out: nothing can be granted on them. Throws when the kernel refuses.
 */
export function restrictSelf(rules: LandlockRules, abi: number): void {
  const handled = handledAccess(abi)
  const attributes = new BigUint64Array([
    handled,
    abi >= 4 ? BIND_TCP | CONNECT_TCP : 0n,
    abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | (rules.signals ? 0n : SCOPE_SIGNAL) : 0n,
  ])
  // Older kernels know a shorter structure: its size is part of the call.
  const size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8
  const ruleset = systemCall(LANDLOCK_CREATE_RULESET, attributes, size, 0)
  if (ruleset < 0) throw new Error(`Cannot create the Landlock ruleset: errno ${-ruleset}`)
  const change = WRITE_FILE | READ_FILE | READ_DIR | REMOVE_AND_MAKE | REFER | TRUNCATE
  for (const path of rules.list) allowPath(ruleset, path, READ_DIR & handled)
  for (const path of rules.read) allowPath(ruleset, path, (READ_FILE | READ_DIR) & handled)
  for (const path of rules.execute) allowPath(ruleset, path, (READ_FILE | EXECUTE) & handled)
  for (const path of rules.write) allowPath(ruleset, path, change & handled)
  if (abi >= 4) for (const port of rules.connectPorts) allowConnect(ruleset, port)
  const result = systemCall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
  closeSync(ruleset)
  if (result < 0) throw new Error(`Cannot enter the Landlock jail: errno ${-result}`)
}

function handledAccess(abi: number): bigint {
  let handled = EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | REMOVE_AND_MAKE
  if (abi >= 2) handled |= REFER
  if (abi >= 3) handled |= TRUNCATE
  if (abi >= 5) handled |= IOCTL_DEV
  return handled
}

/** Nothing can be granted on what is not there; whoever looks at it later sees why. */
const UNGRANTABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'])

function allowPath(ruleset: number, path: string, access: bigint): void {
  let descriptor: number
  try {
    descriptor = openSync(toSystemPath(path), O_PATH)
  } catch (error) {
    if (UNGRANTABLE.has(errnoOf(error) ?? '')) return
    throw new Error(`Cannot open "${path}" for the jail`, { cause: error })
  }
  try {
    const isDirectory = statSync(`/proc/self/fd/${descriptor}`).isDirectory()
    const allowed = isDirectory ? access : access & ON_FILES
    if (allowed === 0n) return
    const rule = new DataView(new ArrayBuffer(12))
    rule.setBigUint64(0, allowed, true)
    rule.setInt32(8, descriptor, true)
    const result = systemCall(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, new Uint8Array(rule.buffer), 0)
    if (result < 0) throw new Error(`Cannot allow "${path}" in the jail: errno ${-result}`)
  } finally {
    closeSync(descriptor)
  }
}

function allowConnect(ruleset: number, port: number): void {
  const rule = new BigUint64Array([CONNECT_TCP, BigInt(port)])
  const result = systemCall(LANDLOCK_ADD_RULE, ruleset, RULE_NET_PORT, rule, 0)
  if (result < 0) throw new Error(`Cannot allow port ${port} in the jail: errno ${-result}`)
}
