import type { Entry } from '../../agent/contract/mod.ts'
import { commandFinding } from './check-units.ts'
import { secretFindings, WORDS } from './findings.ts'
import { judgeCommand, problemOf, secretsOfCommand } from './judge-command.ts'
import type { RuleName } from './rules.ts'
import { CommandScanner } from './scan-commands.ts'
import type { FileMatch } from './scan-file.ts'
import type { Look } from './scan-files.ts'
import { shortHash } from './scan-text.ts'

const COMMAND_RULES: RuleName[] = [
  'secret-in-cron',
  'password-automation',
  'unverified-transfer',
  'dangerous-command',
]

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
  const scanner = new CommandScanner(look.scanner, true)
  for await (const entry of look.files(scheduled, COMMAND_RULES)) {
    count++
    await checkScript(look, entry, scanner)
  }
  for await (const entry of look.files(jobs, COMMAND_RULES)) {
    count++
    checkJobs(look, entry)
  }
  if (count === 0 && !look.isDark('secret-in-cron')) {
    look.notHere(['secret-in-cron', 'dangerous-command'], 'there are no scheduled commands')
  }
}

async function checkScript(look: Look, entry: Entry, scanner: CommandScanner): Promise<void> {
  // Programs in other languages than the shell have other quotes.
  const isOther = /\.(?:py|pl|rb|js|mjs|ts|php|lua)$/.test(entry.path)
  const scan = await look.search(entry, 'script', isOther ? 'code' : 'config', COMMAND_RULES, { scanner })
  if (!scan) return
  const secrets = scan.matches.filter(({ kind }) => kind !== 'command')
  look.findings.push(...secretFindings(look.place(entry), secrets, WORDS.cron))
  const said = new Set<string>()
  for (const { kind, name, line } of scan.matches) {
    const problem = kind === 'command' ? problemOf(name) : undefined
    if (!problem || said.has(name)) continue
    said.add(name)
    look.findings.push(commandFinding(entry.path, line, problem))
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
