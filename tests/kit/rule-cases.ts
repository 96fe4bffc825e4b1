import { mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../../agent/contract/mod.ts'
import { builtInPlugins } from '../../plugins/index.ts'

// What each rule did in the runs that tests make, for the gate: it wants each rule seen at work, both ways
// (scripts/rule-cases.ts). A run of only some tests leaves no record.

type Phase = 'check' | 'apply' | 'run'
/** A line of the record: "PLUGIN PHASE RULE fired" or "… silent". */
export type RuleCase = `${string} ${Phase} ${string} ${'fired' | 'silent'}`

const directory = process.env.REEVE_RULE_CASES
export const isRecording = directory !== undefined
const written = new Set<RuleCase>()
// Opened at once: a test may become a user who cannot.
const record = directory === undefined ? undefined : openRecord(directory)

function openRecord(path: string): number {
  mkdirSync(path, { recursive: true })
  return openSync(join(path, String(process.pid)), 'a')
}

/**
 * What each rule did in a run. A rule that was blind or had nothing to judge did nothing, and neither did any rule in
 * a run that looked at no subject: silent is only what looked.
 */
export function ruleCases(plugin: string, phase: Phase, rules: string[], report: Report): RuleCase[] {
  const fired = new Set(report.findings.map(({ rule }) => rule))
  const looked = report.coverage === undefined || report.coverage.examined > 0
  const blind = report.blind ?? []
  const unjudged = new Set([
    ...(report.inapplicable ?? []).map(({ rule }) => rule),
    ...blind.flatMap((one) => one.rules ?? rules),
  ])
  return rules.flatMap((rule): RuleCase[] => {
    if (fired.has(rule)) return [`${plugin} ${phase} ${rule} fired`]
    return looked && !unjudged.has(rule) ? [`${plugin} ${phase} ${rule} silent`] : []
  })
}

/** Notes what the report of a plugin's phase shows; nothing is known of a plugin that is not built in. */
export async function recordReport(plugin: string, phase: 'check' | 'apply', report: Report): Promise<void> {
  if (record !== undefined) recordCases(ruleCases(plugin, phase, await rulesOf(plugin), report))
}

/** Those of a plugin that is built in; none of another. */
export async function rulesOf(plugin: string): Promise<string[]> {
  return Object.keys((await builtInPlugins.load([plugin])).get(plugin)?.rules ?? {})
}

export function recordCases(cases: RuleCase[]): void {
  if (record === undefined) return
  const fresh = [...new Set(cases).difference(written)]
  for (const one of fresh) written.add(one)
  if (fresh.length > 0) writeSync(record, fresh.map((one) => `${one}\n`).join(''))
}
