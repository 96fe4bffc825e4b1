import { type HostWriter, type Json, z } from '../../../agent/contract/mod.ts'
import type { Cause, Change } from '../change.ts'
import { type Span, within } from './evidence.ts'

const window = z.strictObject({
  openedMs: z.number(),
  /** When it closes by itself. */
  untilMs: z.number(),
  closedMs: z.number().nullable(),
  reason: z.string(),
  by: z.string(),
})
const file = z.strictObject({ version: z.literal(1), windows: z.array(window), seal: z.string() })

/** A time in which changes are meant, opened and closed by a person. */
export type Window = z.output<typeof window>

const KEPT = 500

/**
 * The windows of a job. Throws for a file that was not written with the key of this host: whoever could write it
 * could have anything accepted.
 */
export function readWindows(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: string) => string,
): Window[] {
  const path = pathOf(stateDir)
  if (!state.stat(path)) return []
  const { windows, seal } = file.parse(JSON.parse(state.readText(path)) as Json)
  if (seal === fingerprint(JSON.stringify(windows))) return windows
  throw new Error(`Cannot use "${path}": it was not made with the key of this host. Move it away`)
}

export function writeWindows(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: string) => string,
  windows: Window[],
): void {
  const kept = windows.slice(-KEPT)
  const text = JSON.stringify({ version: 1, windows: kept, seal: fingerprint(JSON.stringify(kept)) })
  state.writeFile(pathOf(stateDir), `${text}\n`, { replace: true })
}

function pathOf(stateDir: string): string {
  return `${stateDir}/windows.json`
}

/** What a window explains: all that got its state in it. */
export interface OpenWindow extends Span {
  reason: string
}

export function spanOf({ openedMs, untilMs, closedMs }: Window): Span {
  return { startNs: toNs(openedMs), endNs: toNs(Math.min(untilMs, closedMs ?? untilMs)) }
}

/** The window in which an entry changed; of what is gone, its directory. */
export function explainByWindow(
  change: Change,
  windows: readonly OpenWindow[],
  lastChangeOf: (path: string) => bigint | undefined,
): Cause | undefined {
  const { path } = change.kind === 'removed' ? change.before : change.after
  const time =
    change.kind === 'removed'
      ? lastChangeOf(path.slice(0, path.lastIndexOf('/')) || '/')
      : change.after.ctimeNs
  const found = time === undefined ? undefined : windows.find((span) => within(time, span))
  return found && { kind: 'window', detail: `change window: ${found.reason}` }
}

export function toNs(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds)) * 1_000_000n
}
