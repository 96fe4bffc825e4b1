import type { EntryState, FileSink } from '../../../agent/contract/mod.ts'
import type { TreeConfig } from '../config.ts'
import type { AcceptContext } from './accept.ts'
import { BaselineError, filesOf, type Header } from './format.ts'
import { openRecords, type RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'

// What was found out about entries that are not as in the baseline: a file that is written to all day, or that
// waits to be accepted, is hashed once and not in every run. It only saves work, so it may be lost at any time.

/** Of the last run; undefined when there is none for this baseline, or somebody else wrote it. */
export function openRecheck(
  context: AcceptContext,
  tree: TreeConfig,
  header: Header,
): RecordReader | undefined {
  const { recheck } = filesOf(context.stateDir, tree.path)
  if (!context.state.stat(recheck)) return undefined
  try {
    const reader = openRecords(context.state, recheck, context.fingerprint)
    const isOfThis = reader.header.tree === tree.path && reader.header.generation === header.generation
    const holdsAll = tree.attributes.every((attribute) => reader.header.attributes.includes(attribute))
    if (isOfThis && holdsAll) return reader
    reader.close()
    return undefined
  } catch (error) {
    if (error instanceof BaselineError) return undefined
    throw error
  }
}

/** Writes the one of this run, in place of the last. */
export class RecheckWriter {
  private sink: FileSink | undefined
  private writer: RecordWriter | undefined

  constructor(
    private readonly context: AcceptContext,
    private readonly tree: TreeConfig,
    private readonly header: Header,
  ) {}

  add(state: EntryState): void {
    this.sink ??= this.context.state.create(this.path, { replace: true })
    const { attributes } = this.tree
    this.writer ??= new RecordWriter(this.sink, { ...this.header, attributes })
    this.writer.add(state)
  }

  commit(): void {
    if (this.writer) this.writer.commit(this.context.fingerprint, { durable: false })
    else if (this.context.state.stat(this.path)) this.context.state.remove(this.path)
  }

  close(): void {
    this.sink?.abort()
  }

  private get path(): string {
    return filesOf(this.context.stateDir, this.tree.path).recheck
  }
}
