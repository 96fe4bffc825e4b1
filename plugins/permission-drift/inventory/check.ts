import {
  type CheckContext,
  type Fact,
  type Finding,
  type Metric,
  shellWord,
} from '../../../agent/contract/mod.ts'
import { BaselineError } from '../baseline/format.ts'
import type { Config } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { INVENTORIES, notAccepted, readAccepted, takenAtFirst, writeAccepted } from './accepted.ts'
import type { Inventories, Kind } from './settings.ts'
import { type Item, takeInventories } from './take.ts'

type Context = CheckContext<Config> & { pause?: (() => Promise<void>) | undefined }

interface Sink {
  onFinding(finding: Finding): void
  onBlind(path: string, reason: string): void
}

export interface InventoryResult {
  generation: number | undefined
  examined: number
  skipped: number
  metrics: Metric[]
  facts: Fact[]
}

const TEXT: Record<
  Kind,
  {
    rule: string
    severity: Finding['severity']
    is: (item: Item) => string
    remedy: (word: string) => string
  }
> = {
  'set-id': {
    rule: 'set-id-program',
    severity: 'critical',
    is: ({ state }) => `Runs as its owner or group for everybody who may start it (mode and owner ${state})`,
    remedy: (word) => `Take it away: chmod ug-s -- ${word}`,
  },
  capabilities: {
    rule: 'program-with-capabilities',
    severity: 'critical',
    is: ({ state }) => `Has the capabilities ${state} for everybody who may start it`,
    remedy: (word) => `Take them away: setcap -r ${word}`,
  },
  'world-writable': {
    rule: 'world-writable',
    severity: 'warning',
    is: ({ state }) => `Everybody can write it (mode and owner ${state})`,
    remedy: (word) => `chmod o-w -- ${word}, or +t for a directory that all share`,
  },
  'no-owner': {
    rule: 'no-owner',
    severity: 'warning',
    is: ({ state }) =>
      `Belongs to ${state}, and there is no such user or group: whoever gets that number gets it`,
    remedy: (word) => `chown -h -- root:root ${word}`,
  },
  'writable-path': {
    rule: 'writable-path',
    severity: 'critical',
    is: ({ state }) => `Is in the PATH of somebody, and ${state}`,
    remedy: (word) => `Look who: namei -l ${word}`,
  },
  'writable-program': {
    rule: 'writable-program',
    severity: 'critical',
    is: ({ state }) => `Is run by a unit or cron job of root, and ${state}`,
    remedy: (word) => `Look who: namei -l ${word}`,
  },
}

/** Takes the inventories, and tells what came to them since they were accepted. */
export async function checkInventories(
  context: Context,
  settings: Inventories,
  remembered: number | undefined,
  sink: Sink,
): Promise<InventoryResult> {
  const { items, examined, skipped } = await takeInventories(context, settings, sink.onBlind)
  let generation = remembered
  try {
    const accepted =
      readAccepted(context, remembered) ??
      writeAccepted(context, takenAtFirst(items), { generation: 1, by: 'reeve', how: 'first' })
    generation = accepted.generation
    for (const { item, before } of notAccepted(items, accepted))
      sink.onFinding(describe(context.job, item, before))
  } catch (error) {
    if (!(error instanceof BaselineError)) throw error
    sink.onFinding({
      rule: 'baseline-tampered',
      subject: INVENTORIES,
      severity: 'critical',
      summary: `What was accepted of the inventories cannot be trusted: ${error.message}`,
      remedy: `Find out who had access to the state directory; or accept anew: ${acceptCommand(context.job)}`,
    })
    sink.onBlind(INVENTORIES, `there is no list to compare them with: ${error.message}`)
  }
  return {
    generation,
    examined,
    skipped,
    facts: items.map(({ kind, path, state }) => ({
      kind: TEXT[kind].rule,
      subject: subjectOf(path),
      data: { state },
    })),
    metrics: settings.kinds.map((kind) => ({
      name: 'inventory_entries',
      value: items.filter((item) => item.kind === kind).length,
      labels: { kind },
      help: 'Entries of an inventory',
    })),
  }
}

function describe(job: string, item: Item, before: string | undefined): Finding {
  const { rule, severity, is, remedy } = TEXT[item.kind]
  const was = before === undefined ? '' : `; accepted was ${before}`
  return {
    rule,
    subject: subjectOf(item.path),
    severity,
    summary: `${is(item)}${was}`.slice(0, 2000),
    remedy: `${remedy(shellWord(item.path))}; if it is meant, accept it: ${acceptCommand(job)}`,
    evidence: { state: item.state, ...(before !== undefined && { before }) },
  }
}

function acceptCommand(job: string): string {
  return `reeve baseline accept --job ${shellWord(job)} --inventories`
}
