import type { HostReader, HostWriter } from '../../../agent/contract/mod.ts'
import { z } from '../../../agent/contract/mod.ts'
import { formatState, parseState } from '../logrotate/state.ts'

const MAX_BYTES = 64 * 1024 * 1024

/** A rotated log that its writer still has open; it waits to be compressed, and its log to be rotated again. */
const heldSchema = z.strictObject({
  /** The rotated log. */
  path: z.string(),
  sinceMs: z.number(),
})
const heldFile = z.strictObject({ version: z.literal(1), held: z.record(z.string(), heldSchema) })

/** By path of the log. */
export type HeldLogs = z.output<typeof heldFile>['held']

/** When each log was rotated last, in the words of logrotate's own state file. */
export interface RotationTimes {
  times: Map<string, Date>
  /** What was wrong with the file that was read. */
  problems: string[]
  /** Read from logrotate's file, since the job has none yet. */
  imported: boolean
}

/** The job's own state file, in the form of logrotate's. */
export const timesPath = (stateDir: string) => `${stateDir}/logrotate.status`
const heldPath = (stateDir: string) => `${stateDir}/held.json`

/** The job's own times; the first time those of logrotate, so that nothing is rotated once more. */
export function readTimes(
  state: HostReader,
  stateDir: string,
  host: HostReader,
  systemState: string,
): RotationTimes {
  const own = timesPath(stateDir)
  const imported = !state.stat(own)
  if (imported && !host.stat(systemState)) return { times: new Map(), problems: [], imported }
  const text = imported
    ? host.readText(systemState, { maxBytes: MAX_BYTES, follow: true })
    : state.readText(own, { maxBytes: MAX_BYTES })
  const { entries, problem } = parseState(text, imported ? systemState : own)
  return { times: entries, problems: problem === undefined ? [] : [problem], imported }
}

const YEAR_MS = 365 * 86_400_000

/** Atomically and durably. Logs that no block names and that were not rotated for a year are forgotten. */
export function writeTimes(
  state: HostWriter,
  stateDir: string,
  times: ReadonlyMap<string, Date>,
  known: ReadonlySet<string>,
  now: Date,
): void {
  const kept = [...times].filter(([log, at]) => known.has(log) || now.getTime() - at.getTime() <= YEAR_MS)
  state.writeFile(timesPath(stateDir), formatState(new Map(kept)), { replace: true })
}

export function readHeld(state: HostReader, stateDir: string): HeldLogs {
  const path = heldPath(stateDir)
  return state.stat(path)
    ? heldFile.parse(JSON.parse(state.readText(path, { maxBytes: MAX_BYTES }))).held
    : {}
}

export function writeHeld(state: HostWriter, stateDir: string, held: HeldLogs): void {
  state.writeFile(heldPath(stateDir), JSON.stringify({ version: 1, held }), { replace: true })
}
