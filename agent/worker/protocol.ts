import { readSync } from 'node:fs'
import type { Permissions } from '../contract/permissions.ts'
import type { OwnAction, OwnToken } from '../contract/plugin.ts'
import type { Json, Report } from '../contract/report.ts'
import type { Progress } from '../lib/progress.ts'

/** What a worker is told, on its standard input: the jail in the first frame, the work in the second. */
export interface JailRequest {
  /** `off`: no jail at all. `auto`: what the kernel has. `always`: refuse to go on without. */
  sandbox: 'always' | 'auto' | 'off'
  permissions: Permissions
  stateDir: string
  /** May change modes, owners and times: false in a check. */
  mayChange: boolean
  /** Directory in front of every path. */
  root: string
  /** The worker ends when its parent is no longer this process. */
  parent: number
  /** Files of external plugins that it will import. */
  pluginFile: string | null
}

export interface WorkRequest {
  kind: 'check' | 'apply' | 'command' | 'describe'
  plugin: string
  /** File of an external plugin, or null for a built-in one. */
  pluginFile: string | null
  job: string
  /** As in the configuration file, before the plugin's schema has parsed it. */
  config: unknown
  permissions: Permissions
  /** False only where the sandbox is off. */
  jailed: boolean
  stateDir: string
  root: string
  now: number
  memory: Json | undefined
  /** What reeve's own jobs did of late. */
  actions?: OwnAction[]
  /** Values by reference. */
  secrets: Record<string, string>
  /** Hex; for keyed identities. */
  fingerprintKey: string
  /** The usable API tokens of reeve; none for an external plugin. */
  ownTokens?: OwnToken[]
  /** For apply: the fixable findings. */
  findings: Report['findings']
  /** For a command: its verb and arguments. */
  verb?: string
  args?: {
    values: Record<string, string | boolean | (string | boolean)[] | undefined>
    positionals: string[]
  }
}

/** What a worker says, one JSON object a line on its standard output. */
export type WorkerMessage =
  | { type: 'jailed'; sandbox: string }
  | ({ type: 'progress' } & Progress)
  | { type: 'log'; level: 'info' | 'warn'; message: string; fields?: Record<string, Json> }
  | { type: 'report'; report: unknown }
  | { type: 'result'; result: unknown }
  | { type: 'description'; description: unknown }
  | { type: 'failed'; message: string; notPermitted: boolean }

/** Frames are a 32-bit little-endian length and JSON. */
export function encodeFrame(value: unknown): Uint8Array {
  const body = Buffer.from(JSON.stringify(value), 'utf8')
  const frame = Buffer.allocUnsafe(4 + body.length)
  frame.writeUInt32LE(body.length, 0)
  body.copy(frame, 4)
  return frame
}

/** Reads exactly one frame: what follows stays for the program that is executed next. */
export function readFrame<T>(descriptor: number): T {
  const length = Buffer.from(readExactly(descriptor, 4)).readUInt32LE(0)
  return JSON.parse(Buffer.from(readExactly(descriptor, length)).toString('utf8'))
}

function readExactly(descriptor: number, length: number): Uint8Array {
  const buffer = new Uint8Array(length)
  let offset = 0
  while (offset < length) {
    const count = readSync(descriptor, buffer, offset, length - offset, null)
    if (count === 0) throw new Error('Cannot read the request: the pipe ended in its middle')
    offset += count
  }
  return buffer
}
