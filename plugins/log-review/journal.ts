import type { HostReader, RunResult } from '../../agent/contract/mod.ts'
import type { LoginLine } from './logins.ts'

export const JOURNALCTL = '/usr/bin/journalctl'
export const JOURNAL_DIRECTORIES = ['/var/log/journal', '/run/log/journal']
const TIMEOUT_MS = 20_000
/** More of them say nothing more; the newest are asked for. */
const MAX_ENTRIES = 20_000
const MAX_BYTES = 32 * 1024 * 1024

/** Always the same first words, so that a permission can name them. */
export const JOURNAL_COMMAND: [string, ...string[]] = [
  JOURNALCTL,
  '--no-pager',
  '--output=json',
  '--output-fields=MESSAGE,SYSLOG_IDENTIFIER',
  `--lines=${MAX_ENTRIES}`,
]

/** Whether systemd keeps a journal here. */
export function hasJournal(host: HostReader): boolean {
  return (
    host.stat('/run/systemd/system') !== undefined || host.stat('/run/systemd/journal/socket') !== undefined
  )
}

export interface JournalEntries {
  lines: LoginLine[]
  /** There were more, older ones. */
  isCut: boolean
}

/** Entries of the journal since a time, of programs or of a unit. Throws where they are not to be seen. */
export async function readJournal(
  host: HostReader,
  sinceMs: number,
  filter: string[],
  signal: AbortSignal,
): Promise<JournalEntries> {
  const argv: [string, ...string[]] = [
    ...JOURNAL_COMMAND,
    `--since=@${Math.floor(sinceMs / 1000)}`,
    ...filter,
  ]
  const result = await host.run(argv, { timeout: TIMEOUT_MS, maxBytes: MAX_BYTES, signal })
  return entriesOf(result, seesSystemJournal(host))
}

/** Whether the files of the system's journal can be read: by a capability, too, of which journalctl knows nothing. */
function seesSystemJournal(host: HostReader): boolean {
  let isSure = true
  const files = JOURNAL_DIRECTORIES.flatMap((directory) =>
    host.stat(directory)
      ? host.glob(`${directory}/*/system.journal`, () => {
          isSure = false
        })
      : [],
  )
  return (
    isSure &&
    files.length > 0 &&
    files.every(({ path }) => {
      try {
        host.open(path).close()
        return true
      } catch {
        return false
      }
    })
  )
}

/** What journalctl printed. Pure. Throws where that is not all. */
export function entriesOf(
  { exitCode, signal, stdout, stderr, timedOut, truncated }: RunResult,
  seesSystem: boolean,
): JournalEntries {
  if (timedOut) throw new Error(`journalctl did not end within ${TIMEOUT_MS / 1000} s`)
  if (truncated) throw new Error(`journalctl printed more than ${MAX_BYTES} bytes`)
  const complaint = stderr.trim().split('\n')[0] ?? ''
  if (exitCode !== 0)
    throw new Error(`journalctl ended with ${exitCode ?? signal}: ${complaint.slice(0, 500)}`)
  // It shows what it may see, and only says beside it that this is not all. By the groups of who asks it guesses.
  const isGuess = /not seeing messages from other users/i.test(stderr) && seesSystem
  if (!isGuess && /not seeing messages|insufficient permissions|No journal files/i.test(stderr)) {
    throw new Error(`journalctl does not see the journal: ${complaint.slice(0, 300)}`)
  }
  const lines = parseEntries(stdout)
  return { lines, isCut: lines.length >= MAX_ENTRIES }
}

/** Pure. Throws where a line is no entry. */
export function parseEntries(text: string): LoginLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const entry: unknown = parse(line)
      if (typeof entry !== 'object' || entry === null || !('__REALTIME_TIMESTAMP' in entry)) {
        throw new Error('journalctl printed what is no entry')
      }
      const fields: Record<string, unknown> = { ...entry }
      return {
        program: textOf(fields.SYSLOG_IDENTIFIER),
        message: textOf(fields.MESSAGE),
        timeMs: Math.floor(Number(fields.__REALTIME_TIMESTAMP) / 1000),
      }
    })
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new Error('journalctl printed what is no JSON', { cause })
  }
}

/** What is no UTF-8 comes as a list of bytes; a field that was given twice as a list of texts. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return ''
  return value.every((item) => typeof item === 'number')
    ? Buffer.from(value).toString('utf8')
    : textOf(value[0])
}
