import { describeError, type Finding, type HostReader, type HostWriter } from '../../../agent/contract/mod.ts'
import { closeJournal, isClosed, listJournals, progressOf, readJournal } from './journal.ts'

/**
 * Repairs and undos that were cut off, told once, with how far they had come by what the entries are now. What
 * was left out is drift still, and the same check finds it.
 */
export function findInterrupted(host: HostReader, state: HostWriter, stateDir: string, now: Date): Finding[] {
  return listJournals(state, stateDir)
    .filter((name) => !isClosed(state, stateDir, name))
    .map((name): Finding => {
      const path = `${stateDir}/${name}`
      try {
        const { kind, at, repairs } = readJournal(state, stateDir, name)
        const counts = { 'not-begun': 0, 'half-way': 0, done: 0, other: 0 }
        for (const repair of repairs) counts[progressOf(host, repair)]++
        const { done } = counts
        closeJournal(state, path, { finished: false, done, refused: repairs.length - done }, now)
        return {
          rule: 'repair-interrupted',
          subject: path,
          severity: 'warning',
          summary:
            `The ${kind} of ${at.toISOString()} was cut off: of ${repairs.length} entries ${done} are done, ` +
            `${counts['half-way']} half-way, ${counts['not-begun']} not begun, ${counts.other} something else by now`,
          remedy: 'What is left over is among the findings; the next run in enforce mode goes on with it',
          evidence: { done, halfWay: counts['half-way'], notBegun: counts['not-begun'], other: counts.other },
        }
      } catch (error) {
        return {
          rule: 'repair-interrupted',
          subject: path,
          severity: 'warning',
          summary: `A journal of repairs cannot be read: ${describeError(error)}`.slice(0, 2000),
          remedy: `Look at it, then move it away: less ${path}`,
        }
      }
    })
}
