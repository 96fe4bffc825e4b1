import type { ApplyContext, CheckContext, EntryState, Fact, Metric } from '../../../agent/contract/mod.ts'
import type { Change, Explain } from '../change.ts'
import type { Config, TreeConfig } from '../config.ts'
import type { Remembered } from '../memory.ts'
import { AcceptanceWriter, appendHistory } from './accept.ts'
import { Comparison } from './compare.ts'
import { BaselineError, filesOf } from './format.ts'
import { writeBaseline } from './make-baseline.ts'
import { type OpenBaseline, openBaseline } from './open-baseline.ts'
import { openRecheck, RecheckWriter } from './recheck.ts'
import type { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import { rehashing } from './rehash.ts'
import { treeMetrics } from './tree-metrics.ts'
import { TreeScan } from './tree-scan.ts'

export type TreeContext = Pick<
  CheckContext<Config> | ApplyContext<Config>,
  'host' | 'state' | 'stateDir' | 'signal' | 'now' | 'fingerprint' | 'progress'
> & { pause?: (() => Promise<void>) | undefined }

export interface TreeSink {
  /** Asked for every change, before anything is told. What it explains is accepted. */
  explain?: Explain | undefined
  /** Every change that has no cause, in tree order. */
  onChange(change: Change): void
  onBlind(path: string, reason: string): void
  onLost(rule: 'baseline-missing' | 'baseline-tampered', reason: string): void
}

export interface TreeResult {
  /** The baseline to remember. */
  remembered: Remembered | undefined
  examined: number
  skipped: number
  metrics: Metric[]
  facts: Fact[]
}

const LEFTOVER_AGE_MS = 86_400_000
const MAX_SUSPECTS = 1000
const NOTHING = { examined: 0, skipped: 0, metrics: [], facts: [] }

/** Compares a tree with its baseline. Where there is none, and never was, the present state becomes it. */
export async function checkTree(
  context: TreeContext,
  tree: TreeConfig,
  remembered: Remembered | undefined,
  sink: TreeSink,
): Promise<TreeResult> {
  const lose = (rule: 'baseline-missing' | 'baseline-tampered', reason: string): TreeResult => {
    sink.onLost(rule, reason)
    sink.onBlind(tree.path, `there is no baseline to compare it with: ${reason}`)
    return { ...NOTHING, remembered }
  }
  let baseline: OpenBaseline | undefined
  try {
    baseline = openBaseline(context, tree.path, remembered)
    if (baseline) return await compareTree(context, tree, baseline, remembered, sink)
  } catch (error) {
    if (error instanceof BaselineError) return lose('baseline-tampered', error.message)
    throw error
  } finally {
    baseline?.reader.close()
  }
  const files = filesOf(context.stateDir, tree.path)
  if (remembered || context.state.stat(files.history))
    return lose('baseline-missing', `${files.baseline} is gone`)
  return makeBaseline(context, tree, { generation: 1, by: 'reeve', how: 'first' }, sink)
}

async function compareTree(
  context: TreeContext,
  tree: TreeConfig,
  { reader, history }: OpenBaseline,
  remembered: Remembered | undefined,
  sink: TreeSink,
): Promise<TreeResult> {
  const started = performance.now()
  const { header, trailer } = reader
  const accepted = new AcceptanceWriter(context, tree, reader)
  try {
    const { scan, unseen, hashed, suspects } = await compareWith(context, tree, reader, remembered, {
      onBlind: sink.onBlind,
      onChange: (change) => {
        const cause = sink.explain?.(change)
        if (cause) accepted.add(change, cause)
        else sink.onChange(change)
      },
    })
    const next = accepted.commit({ by: 'reeve', how: 'cause' })
    const generation = next ? header.generation + 1 : header.generation
    const madeAt = next ? context.now.toISOString() : header.madeAt
    const entries = next?.trailer.entries ?? trailer.entries
    const seal = next?.seal ?? history.at(-1)?.seal
    return {
      remembered: {
        generation,
        fingerprint: next?.trailer.fingerprint ?? trailer.fingerprint,
        ...(seal !== undefined && { history: seal }),
        checkedAt: context.now.getTime(),
        ...(suspects.length > 0 && { suspects }),
      },
      examined: scan.examined,
      skipped: scan.skippedEntries,
      metrics: treeMetrics(tree.path, scan, {
        started,
        made: 0,
        entries,
        unseen,
        hashed,
        explained: accepted.total,
        ageSeconds: (context.now.getTime() - Date.parse(madeAt)) / 1000,
      }),
      facts: [{ kind: 'baseline', subject: tree.path, data: { generation, entries, madeAt } }],
    }
  } finally {
    accepted.close()
  }
}

export interface CompareSink {
  onChange(change: Change): void
  onTouched?(after: EntryState): void
  onBlind(path: string, reason: string): void
}

/** Compares a tree with a baseline that was opened; the reader is at its end then. */
export async function compareWith(
  context: TreeContext,
  tree: TreeConfig,
  reader: RecordReader,
  remembered: Remembered | undefined,
  sink: CompareSink,
): Promise<{ scan: TreeScan; unseen: number; hashed: number; suspects: number[] }> {
  const { header, trailer } = reader
  const scan = new TreeScan(context, tree)
  const recheck = new RecheckWriter(context, tree, header)
  const known = openRecheck(context, tree, header)
  const suspects = new Set<number>()
  const before = new Set(remembered?.suspects)
  const isInShare = rehashing(remembered?.checkedAt, context.now.getTime(), tree.rehash)
  const comparison = new Comparison(
    context.host,
    reader,
    {
      attributes: tree.attributes,
      isDue: (inode) => before.has(inode) || isInShare(inode),
      isUnseen: (path) => scan.isUnseen(path),
      onBlind: sink.onBlind,
      recheck: known,
      onFound: (state) => recheck.add(state),
      onTouched: sink.onTouched?.bind(sink),
      onChange: (change) => {
        if (isSilent(change) && suspects.size < MAX_SUSPECTS) suspects.add(change.after.ino)
        sink.onChange(change)
      },
    },
    context.signal,
  )
  try {
    for await (const batch of scan.batches()) {
      await comparison.add(batch)
      context.progress(scan.examined, trailer.entries, tree.path)
      await context.pause?.()
    }
    await comparison.finish()
    recheck.commit()
    for (const [path, reason] of scan.blind) sink.onBlind(path, reason)
    const absent = tree.attributes.filter((attribute) => !header.attributes.includes(attribute))
    if (absent.length > 0) {
      sink.onBlind(
        tree.path,
        `its baseline does not hold ${absent.join(', ')}: accept a new one, with --anew`,
      )
    }
    const { unseen, hashed } = comparison
    return { scan, unseen, hashed, suspects: [...suspects] }
  } finally {
    known?.close()
    recheck.close()
  }
}

/** Contents that changed though nobody seems to have touched the file. */
function isSilent(change: Change): change is Extract<Change, { kind: 'changed' }> {
  return (
    change.kind === 'changed' &&
    change.attributes.includes('content') &&
    change.before.ctimeNs === change.after.ctimeNs &&
    change.before.ino === change.after.ino
  )
}

export interface Making {
  generation: number
  by: string
  how: 'first' | 'anew'
  reason?: string | undefined
}

/** Takes the present state of a tree as its baseline, unless there is nothing to be seen of it. */
export async function makeBaseline(
  context: TreeContext,
  tree: TreeConfig,
  { generation, by, how, reason }: Making,
  sink: Pick<TreeSink, 'onBlind'>,
): Promise<TreeResult> {
  const started = performance.now()
  const scan = new TreeScan(context, tree)
  const madeAt = context.now.toISOString()
  removeLeftovers(context)
  const file = context.state.create(filesOf(context.stateDir, tree.path).baseline, { replace: true })
  try {
    const writer = new RecordWriter(file, {
      tree: tree.path,
      generation,
      madeAt,
      by,
      ...(reason !== undefined && { reason }),
      attributes: tree.attributes,
    })
    await writeBaseline(context, scan.batches(), tree.attributes, writer, {
      blind: sink.onBlind,
      batch: async () => {
        context.progress(scan.examined, 0, tree.path)
        await context.pause?.()
      },
    })
    if (scan.isMissing) sink.onBlind(tree.path, 'no such file or directory')
    for (const [blindPath, why] of scan.blind) sink.onBlind(blindPath, why)
    if (scan.examined === 0) return { ...NOTHING, remembered: undefined }
    const { entries, fingerprint } = writer.commit(context.fingerprint)
    const counts = { new: 0, removed: 0, changed: 0 }
    const { seal } = appendHistory(context, tree.path, {
      generation,
      at: madeAt,
      by,
      how,
      ...(reason !== undefined && { reason }),
      entries,
      ...counts,
      baseline: fingerprint,
    })
    return {
      remembered: { generation, fingerprint, history: seal, checkedAt: context.now.getTime() },
      examined: scan.examined,
      skipped: scan.skippedEntries,
      metrics: treeMetrics(tree.path, scan, { started, made: 1, entries }),
      facts: [{ kind: 'baseline', subject: tree.path, data: { generation, entries, madeAt } }],
    }
  } finally {
    file.abort()
  }
}

/** Unfinished files of runs that were killed; a young one may belong to a run that is at work. */
function removeLeftovers({ state, stateDir, now }: TreeContext): void {
  for (const name of state.list(stateDir)) {
    if (!/^\.reeve-[0-9a-f]+\.tmp$/.test(name)) continue
    const path = `${stateDir}/${name}`
    const stat = state.stat(path)
    if (stat && now.getTime() - stat.mtimeMs > LEFTOVER_AGE_MS) state.remove(path)
  }
}
