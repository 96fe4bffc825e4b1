import { describeError } from '../../agent/contract/mod.ts'
import { secretFindings, WORDS } from './findings.ts'
import type { RuleName } from './rules.ts'
import type { Look } from './scan-files.ts'

const JOURNALCTL = '/usr/bin/journalctl'
const LINES = 50_000
const TIMEOUT_MS = 30_000
const LOG_RULES: RuleName[] = ['secret-in-log']

/** What journalctl reads. */
export const JOURNAL_FILES = ['/var/log/journal', '/run/log/journal', '/etc/machine-id']

/** The latest lines of a unit. */
export function journalCommand(unit: string): [string, ...string[]] {
  return [JOURNALCTL, '--quiet', '--no-pager', '--output=cat', `--lines=${LINES}`, `--unit=${unit}`]
}

/** The latest lines of units in the journal. */
export async function checkJournal(look: Look): Promise<void> {
  const { journal, logBytes } = look.context.config
  for (const unit of journal) {
    const subject = `journal of ${unit}`
    try {
      const result = await look.host.run(journalCommand(unit), {
        timeout: TIMEOUT_MS,
        maxBytes: logBytes,
        signal: look.context.signal,
      })
      if (result.exitCode !== 0) {
        const why = result.timedOut
          ? 'journalctl did not answer in time'
          : result.stderr.trim().split('\n')[0]
        look.dark(subject, why || `journalctl ended with ${result.exitCode ?? result.signal}`, LOG_RULES)
        continue
      }
      if (result.truncated) look.dark(subject, 'it has more than is searched (logBytes)', LOG_RULES)
      const bytes = Buffer.from(result.stdout)
      look.examined++
      look.bytes += bytes.length
      const matches = look.scanner
        .scan(bytes, 0, bytes.length, 'log')
        .map(({ offset: _, linesAfter: __, ...match }) => ({ ...match, line: null }))
      look.findings.push(
        ...secretFindings({ path: subject, isOpen: false }, matches, {
          ...WORDS.log,
          remedy: () =>
            `journalctl --unit=${unit}\n# Replace the secret, keep the unit from logging it, then: journalctl --rotate && journalctl --vacuum-time=1s`,
        }),
      )
    } catch (error) {
      look.context.signal.throwIfAborted()
      look.dark(subject, describeError(error), LOG_RULES)
    }
  }
}
