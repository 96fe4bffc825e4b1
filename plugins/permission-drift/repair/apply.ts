import { type ApplyContext, type Finding, type Report, shellWord } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { FindingList, subjectOf } from '../finding-list.ts'
import { findRepairs } from './find-repairs.ts'
import { RepairHistory } from './history.ts'
import { closeJournal, writeJournal } from './journal.ts'
import { perform } from './perform.ts'

/**
 * Puts modes and owners back. The findings only say which entries: what is to be done is judged anew from the
 * host as it is now, written to the journal, and then done through handles.
 */
export async function apply(context: ApplyContext<Config>): Promise<Report> {
  const { config, host, state, stateDir, now, signal, findings } = context
  const byPolicy = subjectsOf(findings, [
    'mode-differs',
    'owner-differs',
    'group-differs',
    'acl-differs',
    'xattr-differs',
  ])
  const byBaseline = subjectsOf(findings, ['changed'])
  const repairs = await findRepairs(context, {
    byPolicy: (subject) => byPolicy.has(subject),
    byBaseline: (subject) => byBaseline.has(subject),
  })
  const list = new FindingList(config.maxFindings)
  if (repairs.length === 0) return { ...list.result(), coverage: { examined: 0, skipped: 0 } }
  const journal = writeJournal(state, stateDir, now, repairs)
  const history = RepairHistory.read(state, stateDir, now)
  let done = 0
  try {
    for (const [index, repair] of repairs.entries()) {
      signal.throwIfAborted()
      context.progress(index, repairs.length, 'repairs')
      try {
        perform(host, repair)
        history.note(subjectOf(repair.entry.path), 'repaired', repair.after)
        done++
      } catch (error) {
        list.add(
          'repairs',
          describeRefusal(repair.entry.path, error instanceof Error ? error.message : String(error)),
        )
      }
    }
  } finally {
    // An end before its time is told by what is written here, too; only a kill leaves it open.
    history.write(state, stateDir)
  }
  closeJournal(state, journal.path, { finished: true, done, refused: repairs.length - done }, now)
  return {
    ...list.result(),
    artifacts: [journal],
    metrics: [{ name: 'repaired_entries', value: done, help: 'Entries whose mode or owner was put back' }],
    coverage: { examined: repairs.length, skipped: 0 },
  }
}

function subjectsOf(findings: Finding[], rules: string[]): Set<string> {
  return new Set(findings.filter(({ rule }) => rules.includes(rule)).map(({ subject }) => subject))
}

function describeRefusal(path: string, reason: string): Finding {
  return {
    rule: 'repair-refused',
    subject: subjectOf(path),
    severity: 'warning',
    summary: `Was not repaired: ${reason}`.slice(0, 2000),
    remedy: `Look at it by hand: ls -ld -- ${shellWord(path)}`,
  }
}
