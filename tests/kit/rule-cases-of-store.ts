import { SQLiteError } from 'bun:sqlite'
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../agent/lib/errors.ts'
import { openStoreForReading } from '../../agent/store/open.ts'
import { temporaryDirectory } from './plugin.ts'
import { isRecording, type RuleCase, recordCases, ruleCases, rulesOf } from './rule-cases.ts'

const FINDING = { job: true, rule: true, subject: true, severity: true, summary: true, state: true } as const

/** Notes what the last run of each job of a reeve left in its database, and whatever its jobs found at any time. */
export async function recordStore(database: string): Promise<void> {
  if (!isRecording) return
  for (const { job, plugin, outcome, blind, inapplicable, ...run } of lastRuns(database)) {
    const rules = await rulesOf(plugin)
    const found = run.found.filter(({ rule }) => rules.includes(rule))
    recordCases(found.map(({ rule }): RuleCase => `${plugin} run ${rule} fired`))
    if (!['clean', 'findings', 'blind'].includes(outcome)) continue
    const coverage = { examined: run.examined, skipped: run.skipped }
    const findings = found.filter(({ state }) => state === 'open')
    recordCases(ruleCases(plugin, 'run', rules, { findings, blind, inapplicable, coverage }))
  }
}

/** Nothing of a database that a test has broken on purpose. */
function lastRuns(database: string) {
  // A copy, as SQLite follows the links by which another host's files are reached.
  using copy = temporaryDirectory()
  for (const suffix of ['', '-wal']) {
    if (existsSync(database + suffix)) copyFileSync(database + suffix, join(copy.path, `reeve.db${suffix}`))
  }
  try {
    const store = openStoreForReading(join(copy.path, 'reeve.db'))
    const runs = store.orm.query.runs.findMany({ orderBy: (run, { asc }) => asc(run.id) }).sync()
    const found = store.orm.query.findings.findMany({ columns: FINDING }).sync()
    store.close()
    const last = new Map(runs.map((run) => [run.job, run]))
    return [...last.values()].map((run) => ({ ...run, found: found.filter(({ job }) => job === run.job) }))
  } catch (error) {
    if (error instanceof UserError || error instanceof SQLiteError) return []
    throw error
  }
}
