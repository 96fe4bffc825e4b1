import { createHash } from 'node:crypto'
import { type Artifact, type Entry, type HostWriter, printablePath } from '../../agent/contract/mod.ts'
import { octal } from './describe.ts'
import type { Attributes } from './plan-repair.ts'

/** One repair that is meant: what the entry was, and what it becomes. */
export interface Repair {
  entry: Entry
  after: Attributes
}

const KEPT = 200
const NAME = /^repair-.*\.jsonl$/

/**
 * Writes down, before the first of them, all repairs of a run: what was there can be put back from it, also
 * after a crash half-way. One JSON line each, modes in octal, device and inode to tell the entry by. The newest
 * 200 journals are kept.
 */
export function writeJournal(
  state: HostWriter,
  stateDir: string,
  at: Date,
  repairs: readonly Repair[],
): Artifact {
  const lines = [
    JSON.stringify({ format: 'reeve-repair-journal', version: 1, at: at.toISOString() }),
    ...repairs.map(({ entry, after }) =>
      JSON.stringify({
        path: printablePath(entry.path),
        type: entry.type,
        device: entry.dev,
        inode: entry.ino,
        before: attributes(entry),
        after: attributes(after),
      }),
    ),
  ]
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  const path = freeName(state, `${stateDir}/repair-${at.toISOString().replaceAll(':', '-')}`)
  state.writeFile(path, bytes)
  const old = state.list(stateDir).filter((name) => NAME.test(name))
  for (const name of old.slice(0, -KEPT)) state.remove(`${stateDir}/${name}`)
  return {
    kind: 'repair-journal',
    path,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    data: { repairs: repairs.length },
  }
}

function attributes({ mode, uid, gid }: Attributes) {
  return { mode: octal(mode), uid, gid }
}

function freeName(state: HostWriter, stem: string): string {
  for (let number = 1; ; number++) {
    const path = number === 1 ? `${stem}.jsonl` : `${stem}-${number}.jsonl`
    if (!state.stat(path)) return path
  }
}
