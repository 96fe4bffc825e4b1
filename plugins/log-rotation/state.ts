import { describeError, type HostWriter, z } from '../../agent/contract/mod.ts'

const clock = z.strictObject({
  /** When the interval began. */
  sinceMs: z.number(),
  /** Last rotation; null when there was none since the log was first seen. */
  rotatedMs: z.number().nullable(),
})

/**
 * A rotation that is under way, or was when the last run ended.
 * `rename`: the log may have been renamed already. `copy`: it may have been copied and truncated. `settle`: it has been, afterRotate has not succeeded yet.
 * `prove`: what is left is to compress and to prove. `held`: that waits for a writer which still has the file open.
 */
const pending = z.strictObject({
  set: z.string(),
  phase: z.enum(['rename', 'copy', 'settle', 'prove', 'held']),
  startedMs: z.number(),
  /** The file that was the log; with `copy` the newest generation before, zeros when there was none. */
  dev: z.number(),
  ino: z.number(),
  /** How afterRotate failed. */
  failure: z.string().nullable(),
})

const stateSchema = z.strictObject({
  version: z.literal(1),
  clocks: z.record(z.string(), clock),
  pending: z.record(z.string(), pending),
})

export type Pending = z.output<typeof pending>
/** By path of the log. */
export type State = z.output<typeof stateSchema>

/** A log that has not been seen for this long is forgotten; logrotate forgets after a year, too. */
const FORGET_MS = 400 * 86_400_000
const MAX_BYTES = 64 * 1024 * 1024

/** The state of the job; an empty one before the first run. A damaged file is an error, not an empty state. */
export function readState(host: HostWriter, stateDir: string): State {
  const path = statePath(stateDir)
  if (!host.stat(path)) return { version: 1, clocks: {}, pending: {} }
  try {
    return stateSchema.parse(JSON.parse(host.readText(path, { maxBytes: MAX_BYTES })))
  } catch (error) {
    throw new Error(
      `Cannot use "${path}": ${describeError(error)}. Move it away: every log then starts its interval anew`,
      { cause: error },
    )
  }
}

/** Atomically and durably. */
export function writeState(host: HostWriter, stateDir: string, state: State): void {
  host.writeFile(statePath(stateDir), JSON.stringify(state), { replace: true })
}

function statePath(stateDir: string): string {
  return `${stateDir}/state.json`
}

/** Starts the clock of logs that were not seen before and forgets those long gone. Tells whether it changed. */
export function keepClocks(state: State, logs: string[], now: number): boolean {
  const present = new Set(logs)
  let changed = false
  for (const path of present) {
    if (Object.hasOwn(state.clocks, path)) continue
    state.clocks[path] = { sinceMs: now, rotatedMs: null }
    changed = true
  }
  for (const [path, { sinceMs }] of Object.entries(state.clocks)) {
    if (present.has(path) || now - sinceMs < FORGET_MS) continue
    delete state.clocks[path]
    changed = true
  }
  return changed
}

/** Logs whose rotation is under way, with the name of their set. */
export function pendingSets(state: State): Map<string, string> {
  return new Map(Object.entries(state.pending).map(([path, pending]) => [path, pending.set]))
}
