import { createHash } from 'node:crypto'
import {
  compareTreeOrder,
  type EntryState,
  type FileSink,
  type HostWriter,
  printablePath,
  records,
} from '../../../agent/contract/mod.ts'
import type { Cause, Change } from '../change.ts'
import type { TreeConfig } from '../config.ts'
import { type Fingerprint, filesOf, type Trailer } from './format.ts'
import { type HistoryRecord, readHistory, sealRecord, writeHistory } from './history.ts'
import { openRecords, type RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import { summaryOf } from './summary.ts'

export interface AcceptContext {
  state: HostWriter
  stateDir: string
  fingerprint: Fingerprint
  now: Date
}

export interface Acceptance {
  by: string
  how: HistoryRecord['how']
  reason?: string | undefined
}

/** An entry that is gone, among records of changes: nothing that is there has no link. */
const GONE = 0

/**
 * Takes changes into a baseline. They come in tree order while the tree is compared, and are written down as they
 * come; `commit` merges them with the baseline into its next generation. Up to the last step the baseline is as
 * it was; a kill after it is made good by the next run.
 */
export class AcceptanceWriter {
  readonly counts = { new: 0, removed: 0, changed: 0 }
  private readonly causes: Record<string, number> = {}
  private readonly files: ReturnType<typeof filesOf>
  private readonly generation: number
  private pending: RecordWriter | undefined
  private list: { sink: FileSink; digest: ReturnType<typeof createHash> } | undefined
  private sinks: FileSink[] = []

  constructor(
    private readonly context: AcceptContext,
    private readonly tree: TreeConfig,
    private readonly baseline: Pick<RecordReader, 'header'>,
  ) {
    this.files = filesOf(context.stateDir, tree.path)
    this.generation = baseline.header.generation + 1
  }

  get total(): number {
    return this.counts.new + this.counts.removed + this.counts.changed
  }

  add(change: Change, cause?: Cause): void {
    this.counts[change.kind]++
    if (cause) this.causes[cause.detail] = (this.causes[cause.detail] ?? 0) + 1
    this.take(change.kind === 'removed' ? { ...change.before, nlink: GONE } : change.after)
    const line = Buffer.from(`${JSON.stringify({ ...summaryOf(change), ...(cause && { cause }) })}\n`)
    this.list ??= { sink: this.open(this.files.acceptance(this.generation)), digest: createHash('sha256') }
    this.list.sink.write(line)
    this.list.digest.update(line)
  }

  /** Only its time or inode is another one: it is taken along, and not spoken of. */
  touch(after: EntryState): void {
    this.take(after)
  }

  /** The next generation, or nothing when there is nothing to take. */
  commit({ by, how, reason }: Acceptance): { trailer: Trailer; seal: string } | undefined {
    if (!this.pending) return undefined
    const { state, fingerprint, now } = this.context
    this.pending.commit(fingerprint, { durable: false })
    const changes = this.list?.digest.digest('hex')
    this.list?.sink.commit()
    const start = {
      tree: this.tree.path,
      generation: this.generation,
      madeAt: now.toISOString(),
      by,
      ...(reason !== undefined && { reason }),
      attributes: this.baseline.header.attributes,
    }
    const old = openRecords(state, this.files.baseline, fingerprint)
    const added = openRecords(state, this.pendingFile, fingerprint)
    const sink = this.open(this.files.baseline)
    try {
      const writer = new RecordWriter(sink, start)
      mergeRecords(old, added, writer)
      const trailer = writer.commit(fingerprint)
      const causes = Object.keys(this.causes).length > 0 ? this.causes : undefined
      const { seal } = appendHistory(this.context, this.tree.path, {
        generation: this.generation,
        at: start.madeAt,
        by,
        how,
        ...(reason !== undefined && { reason }),
        entries: trailer.entries,
        ...this.counts,
        ...(causes && { causes: bounded(causes) }),
        ...(changes !== undefined && { changes }),
        baseline: trailer.fingerprint,
      })
      return { trailer, seal }
    } finally {
      old.close()
      added.close()
    }
  }

  /** Removes what was not committed. */
  close(): void {
    for (const sink of this.sinks) sink.abort()
    if (this.context.state.stat(this.pendingFile)) this.context.state.remove(this.pendingFile)
  }

  private take(state: EntryState): void {
    const { header } = this.baseline
    this.pending ??= new RecordWriter(this.open(this.pendingFile), { ...header, generation: this.generation })
    this.pending.add(state)
  }

  private open(path: string): FileSink {
    const sink = this.context.state.create(path, { replace: true })
    this.sinks.push(sink)
    return sink
  }

  private get pendingFile(): string {
    return `${this.files.recheck}-pending`
  }
}

/** Pure but for its readers and writer: the old entries, with those of the changes in their place. */
export function mergeRecords(old: RecordReader, changes: RecordReader, writer: RecordWriter): void {
  while (!old.atEnd || !changes.atEnd) {
    const order = old.atEnd ? 1 : changes.atEnd ? -1 : compareTreeOrder(old.path(), changes.path())
    const source = order < 0 ? old : changes
    const { block, start, directory } = source
    const isGone = source === changes && block.words[start + records.WORD.links] === GONE
    if (!isGone) writer.copy(block, start, directory, records.detailsText(block, start))
    if (order <= 0) old.next()
    if (order >= 0) changes.next()
  }
}

/** Writes the line of a generation that was just made. */
export function appendHistory(
  { state, stateDir, fingerprint }: AcceptContext,
  tree: string,
  next: Parameters<typeof sealRecord>[1],
): HistoryRecord {
  const { history } = filesOf(stateDir, tree)
  const before = readHistory(state, history, fingerprint)
  const sealed = sealRecord(before, next, fingerprint)
  writeHistory(state, history, [...before, sealed])
  return sealed
}

const MAX_CAUSES = 50

function bounded(causes: Record<string, number>): Record<string, number> {
  const all = Object.entries(causes).map(
    ([cause, count]) => [printablePath(cause).slice(0, 300), count] as const,
  )
  const rest = all.slice(MAX_CAUSES).reduce((sum, [, count]) => sum + count, 0)
  return Object.fromEntries([...all.slice(0, MAX_CAUSES), ...(rest > 0 ? [['others', rest] as const] : [])])
}
