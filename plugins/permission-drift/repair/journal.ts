import { createHash } from 'node:crypto'
import {
  type Artifact,
  type Entry,
  type FileStat,
  type FileType,
  type HostReader,
  type HostWriter,
  parsePrintablePath,
  printablePath,
  z,
} from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import type { AttributeChange } from './plan-attributes.ts'
import { type Attributes, planRepair, sameAttributes } from './plan-repair.ts'

/** One repair that is meant: what the entry was, and what it becomes. */
export interface Repair {
  entry: Pick<Entry, 'path' | 'type' | 'dev' | 'ino' | 'mode' | 'uid' | 'gid'>
  after: Attributes
  /** Further attributes, set after mode and owner. */
  attributes?: AttributeChange[] | undefined
}

export type JournalKind = 'repair' | 'undo'

const KEPT = 200
const NAME = /^(repair|undo)-.*\.jsonl$/
const MAX_BYTES = 256 * 1024 * 1024

const attributes = z.strictObject({
  mode: z.string().regex(/^[0-7]{4}$/),
  uid: z.number().int(),
  gid: z.number().int(),
})
const attributeChange = z.strictObject({
  name: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
})
const header = z.strictObject({
  format: z.literal('reeve-repair-journal'),
  version: z.literal(1),
  at: z.iso.datetime(),
})
const line = z.strictObject({
  path: z.string(),
  type: z.string(),
  device: z.number(),
  inode: z.number(),
  before: attributes,
  after: attributes,
  attributes: z.array(attributeChange).optional(),
})
const outcome = z.strictObject({
  at: z.iso.datetime(),
  /** False: the run was cut off, and a later one found out how far it had come. */
  finished: z.boolean(),
  done: z.number().int(),
  refused: z.number().int(),
})
export type Outcome = z.output<typeof outcome>

export interface Journal {
  name: string
  kind: JournalKind
  at: Date
  repairs: Repair[]
  /** Undefined: the run did not come to its end. */
  outcome: Outcome | undefined
}

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
  kind: JournalKind = 'repair',
): Artifact {
  const lines = [
    JSON.stringify({ format: 'reeve-repair-journal', version: 1, at: at.toISOString() }),
    ...repairs.map(({ entry, after, attributes: further }) =>
      JSON.stringify({
        path: printablePath(entry.path),
        type: entry.type,
        device: entry.dev,
        inode: entry.ino,
        before: toText(entry),
        after: toText(after),
        ...(further && { attributes: further }),
      }),
    ),
  ]
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  const path = freeName(state, `${stateDir}/${kind}-${stamp(at)}`)
  state.writeFile(path, bytes)
  removeOld(state, stateDir)
  return {
    kind: `${kind}-journal`,
    path,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    data: { repairs: repairs.length },
  }
}

/** Says beside a journal how it ended. A journal without that is of a run that was cut off. */
export function closeJournal(
  state: HostWriter,
  journal: string,
  result: Omit<Outcome, 'at'>,
  at: Date,
): void {
  const text = JSON.stringify({ at: at.toISOString(), ...result } satisfies Outcome)
  state.writeFile(outcomePath(journal), `${text}\n`, { replace: true })
}

/** The journals in a state directory, the oldest first. */
export function listJournals(state: HostWriter, stateDir: string): string[] {
  return state
    .list(stateDir)
    .filter((name) => NAME.test(name))
    .sort((a, b) => compare(a.replace(NAME_KIND, ''), b.replace(NAME_KIND, '')))
}

const NAME_KIND = /^[a-z]+-/

export function isClosed(state: HostWriter, stateDir: string, name: string): boolean {
  return state.stat(outcomePath(`${stateDir}/${name}`)) !== undefined
}

/** Reads a journal. Throws for one that is damaged: what cannot be read is not acted on. */
export function readJournal(state: HostWriter, stateDir: string, name: string): Journal {
  const [first = '', ...rest] = state
    .readText(`${stateDir}/${name}`, { maxBytes: MAX_BYTES })
    .trimEnd()
    .split('\n')
  const { at } = header.parse(JSON.parse(first))
  const repairs = rest.map((text): Repair => {
    const parsed = line.parse(JSON.parse(text))
    return {
      entry: {
        path: parsePrintablePath(parsed.path),
        type: parsed.type as FileType,
        dev: parsed.device,
        ino: parsed.inode,
        ...fromText(parsed.before),
      },
      after: fromText(parsed.after),
      attributes: parsed.attributes,
    }
  })
  const path = outcomePath(`${stateDir}/${name}`)
  return {
    name,
    kind: name.startsWith('undo-') ? 'undo' : 'repair',
    at: new Date(at),
    repairs,
    outcome: state.stat(path) ? outcome.parse(JSON.parse(state.readText(path))) : undefined,
  }
}

/** The journals of the run that began at a time, in the order in which they were written. */
export function journalsOf(state: HostWriter, stateDir: string, at: Date): string[] {
  const stem = `repair-${stamp(at)}`
  return listJournals(state, stateDir).filter((name) => name.startsWith(stem))
}

/** How far a repair has come on this host, by what the entry is now. */
export type Progress = 'not-begun' | 'half-way' | 'done' | 'other'

export function progressOf(host: Pick<HostReader, 'stat'>, { entry, after }: Repair): Progress {
  let is: FileStat | undefined
  try {
    is = host.stat(entry.path)
  } catch {
    return 'other'
  }
  if (!is || is.ino !== entry.ino || is.dev !== entry.dev || is.type !== entry.type) return 'other'
  if (sameAttributes(is, after)) return 'done'
  if (sameAttributes(is, entry)) return 'not-begun'
  let step: Attributes = entry
  for (const next of planRepair(entry, after)) {
    step = next.change === 'mode' ? { ...step, mode: next.mode } : { ...step, uid: next.uid, gid: next.gid }
    // chown takes setuid and setgid away from a program.
    if (sameAttributes(is, step)) return 'half-way'
  }
  return 'other'
}

function removeOld(state: HostWriter, stateDir: string): void {
  for (const name of listJournals(state, stateDir).slice(0, -KEPT)) {
    for (const path of [`${stateDir}/${name}`, outcomePath(`${stateDir}/${name}`)]) {
      if (state.stat(path)) state.remove(path)
    }
  }
}

function outcomePath(journal: string): string {
  return journal.replace(/\.jsonl$/, '.outcome.json')
}

function toText({ mode, uid, gid }: Attributes) {
  return { mode: octal(mode), uid, gid }
}

function fromText({ mode, uid, gid }: z.output<typeof attributes>): Attributes {
  return { mode: Number.parseInt(mode, 8), uid, gid }
}

function stamp(at: Date): string {
  return at.toISOString().replaceAll(':', '-')
}

function freeName(state: HostWriter, stem: string): string {
  for (let number = 1; ; number++) {
    const path = number === 1 ? `${stem}.jsonl` : `${stem}-${number}.jsonl`
    if (!state.stat(path)) return path
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
