import type { Entry } from '../../agent/contract/mod.ts'
import { commandFinding } from './check-units.ts'
import { secretFindings, WORDS } from './findings.ts'
import { judgeCommand, secretsOfCommand } from './judge-command.ts'
import type { RuleName } from './rules.ts'
import type { FileMatch } from './scan-file.ts'
import type { Look } from './scan-files.ts'
import { shortHash } from './scan-text.ts'

const COMMAND_RULES: RuleName[] = [
  'secret-in-cron',
  'password-automation',
  'unverified-transfer',
  'dangerous-command',
]
const LONG_LINE = 16_384

/** Files of cron and scripts, and job files in the form of INI. */
export async function checkCommands(look: Look): Promise<void> {
  const { scheduled, jobs, units } = look.context.config
  if (scheduled.length + jobs.length === 0) {
    look.notHere(['secret-in-cron', 'dangerous-command'], 'the job names no scheduled commands')
    if (units.length === 0)
      look.notHere(['password-automation', 'unverified-transfer'], 'the job names no commands')
    return
  }
  let count = 0
  for await (const entry of look.files(scheduled, COMMAND_RULES)) {
    count++
    await checkScript(look, entry)
  }
  for await (const entry of look.files(jobs, COMMAND_RULES)) {
    count++
    checkJobs(look, entry)
  }
  if (count === 0 && !look.isDark('secret-in-cron')) {
    look.notHere(['secret-in-cron', 'dangerous-command'], 'there are no scheduled commands')
  }
}

async function checkScript(look: Look, entry: Entry): Promise<void> {
  // Programs in other languages than the shell have other quotes.
  const isOther = /\.(?:py|pl|rb|js|mjs|ts|php|lua)$/.test(entry.path)
  const scan = await look.search(entry, 'script', isOther ? 'code' : 'config', COMMAND_RULES)
  if (!scan || scan.skipped) return
  const text = look.text(entry.path, COMMAND_RULES)
  if (text === undefined) return
  const matches = [...scan.matches]
  for (const [index, line] of logicalLines(text)) {
    if (!isOther) {
      const known = new Set(matches.map(({ sha256 }) => sha256))
      for (const { name, value } of secretsOfCommand(line)) {
        const sha256 = shortHash(value)
        if (!known.has(sha256)) matches.push({ kind: 'named', name, sha256, line: index })
      }
    }
    look.findings.push(
      ...judgeCommand(line, look.context.config.commands).map((problem) =>
        commandFinding(entry.path, index, problem),
      ),
    )
  }
  look.findings.push(...secretFindings(look.place(entry), matches, WORDS.cron))
}

/** Lines with their numbers, comments left out, continued ones put together. */
function* logicalLines(text: string): Generator<[number, string]> {
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    const first = index
    let line = (lines[index] ?? '').slice(0, LONG_LINE)
    if (/^\s*(?:#|$)/.test(line)) continue
    while (line.endsWith('\\') && line.length < LONG_LINE)
      line = `${line.slice(0, -1)} ${lines[++index] ?? ''}`
    yield [first + 1, line]
  }
}

/** `command =` of job files: sections [job-exec "name"], keys without regard to case, "-" and "_". */
function checkJobs(look: Look, entry: Entry): void {
  const text = look.text(entry.path, COMMAND_RULES)
  if (text === undefined) return
  look.examined++
  const matches: FileMatch[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const command = /^\s*command\s*[:=]\s*(.*)$/i.exec(line)?.[1]
    if (command === undefined) continue
    look.findings.push(
      ...judgeCommand(command, look.context.config.commands).map((problem) =>
        commandFinding(entry.path, index + 1, problem),
      ),
    )
    for (const { name, value } of secretsOfCommand(command)) {
      matches.push({ kind: 'named', name, sha256: shortHash(value), line: index + 1 })
    }
  }
  look.findings.push(...secretFindings(look.place(entry), matches, WORDS.cron))
}
