import type { ApplyContext, CheckContext, Fact, Metric } from '../../../agent/contract/mod.ts'
import type { Explain } from '../change.ts'
import type { Config, TreeConfig } from '../config.ts'
import { distrust, type Remembered } from '../memory.ts'
import { BaselineReader, BaselineWriter, baselineFile } from './baseline-file.ts'
import { BaselineError } from './baseline-format.ts'
import { Comparison, type Drift } from './compare.ts'
import { TreeWalk } from './tree-walk.ts'

export type TreeContext = Pick<
  CheckContext<Config> | ApplyContext<Config>,
  'host' | 'state' | 'stateDir' | 'signal' | 'now' | 'fingerprint' | 'progress'
>

export interface TreeSink {
  /** Asked for every change, before anything is told. */
  explain?: Explain | undefined
  onDrift(drift: Drift): void
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
const NOTHING = { examined: 0, skipped: 0, metrics: [], facts: [] }

/** Compares a tree with its baseline. Where there is none, and never was, the present state becomes it. */
export async function checkTree(
  context: TreeContext,
  tree: TreeConfig,
  remembered: Remembered | undefined,
  sink: TreeSink,
): Promise<TreeResult> {
  const file = baselineFile(context.stateDir, tree.path)
  const lose = (rule: 'baseline-missing' | 'baseline-tampered', reason: string): TreeResult => {
    sink.onLost(rule, reason)
    sink.onBlind(tree.path, `there is no baseline to compare it with: ${reason}`)
    return { ...NOTHING, remembered }
  }
  if (!context.state.stat(file)) {
    if (remembered) return lose('baseline-missing', `${file} is gone`)
    return makeBaseline(context, tree, 1, undefined, sink)
  }
  const source = context.state.open(file)
  try {
    const baseline = new BaselineReader(source, context.fingerprint)
    const reason = distrust(tree.path, baseline.header, baseline.trailer, remembered)
    if (reason) return lose('baseline-tampered', reason)
    return await compare(context, tree, baseline, sink)
  } catch (error) {
    if (error instanceof BaselineError) return lose('baseline-tampered', error.message)
    throw error
  } finally {
    source.close()
  }
}

async function compare(
  context: TreeContext,
  tree: TreeConfig,
  baseline: BaselineReader,
  sink: TreeSink,
): Promise<TreeResult> {
  const started = performance.now()
  const walk = new TreeWalk(context, tree)
  const comparison = new Comparison(baseline, {
    attributes: tree.attributes,
    onDrift: sink.onDrift,
    isUnseen: (path) => walk.isUnseen(path),
  })
  const { entries, fingerprint } = baseline.trailer
  await walk.visit(
    (entry) => comparison.add(entry),
    (examined) => context.progress(examined, entries, tree.path),
  )
  comparison.finish()
  for (const [path, reason] of walk.blind) sink.onBlind(path, reason)
  const { generation, madeAt } = baseline.header
  const ageSeconds = (context.now.getTime() - Date.parse(madeAt)) / 1000
  return {
    remembered: { generation, fingerprint },
    examined: walk.examined,
    skipped: walk.skipped,
    metrics: [
      ...walkMetrics(tree.path, walk.examined, started),
      madeMetric(tree.path, 0),
      {
        name: 'unseen_entries',
        value: comparison.unseen,
        labels: { tree: tree.path },
        help: 'Entries of the baseline where this run could not, or should not, look',
      },
      {
        name: 'baseline_entries',
        value: entries,
        labels: { tree: tree.path },
        help: 'Entries in the baseline',
      },
      {
        name: 'baseline_age_seconds',
        value: ageSeconds,
        labels: { tree: tree.path },
        help: 'Age of the baseline',
      },
    ],
    facts: [
      {
        kind: 'baseline',
        subject: tree.path,
        data: { generation, entries, madeAt },
      },
    ],
  }
}

/** Takes the present state of a tree as its baseline, unless there is nothing to be seen of it. */
export async function makeBaseline(
  context: TreeContext,
  tree: TreeConfig,
  generation: number,
  reason: string | undefined,
  sink: Pick<TreeSink, 'onBlind'>,
): Promise<TreeResult> {
  const started = performance.now()
  const walk = new TreeWalk(context, tree)
  const madeAt = context.now.toISOString()
  removeLeftovers(context)
  const file = context.state.create(baselineFile(context.stateDir, tree.path), { replace: true })
  try {
    const writer = new BaselineWriter(file, {
      tree: tree.path,
      generation,
      madeAt,
      ...(reason && { reason }),
    })
    await walk.visit(
      (entry) => writer.add(entry),
      (examined) => context.progress(examined, 0, tree.path),
    )
    if (walk.isMissing) sink.onBlind(tree.path, 'no such file or directory')
    for (const [blindPath, why] of walk.blind) sink.onBlind(blindPath, why)
    if (walk.examined === 0) return { ...NOTHING, remembered: undefined }
    const { entries, fingerprint } = writer.commit(context.fingerprint)
    return {
      remembered: { generation, fingerprint },
      examined: walk.examined,
      skipped: walk.skipped,
      metrics: [...walkMetrics(tree.path, walk.examined, started), madeMetric(tree.path, 1)],
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

function walkMetrics(path: string, examined: number, started: number): Metric[] {
  const labels = { tree: path }
  const seconds = (performance.now() - started) / 1000
  return [
    { name: 'examined_entries', value: examined, labels, help: 'Entries looked at' },
    { name: 'walk_seconds', value: seconds, labels, help: 'Time that looking at a tree took' },
  ]
}

function madeMetric(path: string, value: number): Metric {
  return { name: 'baseline_made', value, labels: { tree: path }, help: '1 when this run made the baseline' }
}
