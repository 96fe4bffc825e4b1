import { describeError, errnoOf, type Finding, shellWord } from '../../agent/contract/mod.ts'
import { openFile } from './check-environment.ts'
import { secretFindings, WORDS } from './findings.ts'
import { secretsOfCommand } from './judge-command.ts'
import type { RuleName } from './rules.ts'
import { CommandScanner } from './scan-commands.ts'
import type { Look } from './scan-files.ts'
import { shortHash } from './scan-text.ts'

const ARGUMENT_RULES: RuleName[] = ['secret-in-arguments']
const HISTORY_RULES: RuleName[] = ['secret-in-history']
const CREDENTIAL_RULES: RuleName[] = ['open-secret-file', 'stored-credentials']
const MAX_ARGUMENT_BYTES = 256 * 1024

/** Command lines of running processes: everybody on the host can read them. */
export function checkProcesses(look: Look): void {
  const { context, host } = look
  if (!context.config.processes) {
    look.notHere(ARGUMENT_RULES, 'the job looks at no processes')
    return
  }
  const pids = host.list('/proc').filter((name) => /^\d+$/.test(name))
  if (!pids.includes('1')) look.dark('/proc', 'processes of others are hidden (hidepid)', ARGUMENT_RULES)
  const said = new Set<string>()
  for (const pid of pids) {
    let text: string
    try {
      text = host.readText(`/proc/${pid}/cmdline`, { maxBytes: MAX_ARGUMENT_BYTES })
    } catch (error) {
      // It has ended meanwhile.
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') continue
      look.dark(`/proc/${pid}/cmdline`, describeError(error), ARGUMENT_RULES)
      continue
    }
    if (text === '') continue
    look.examined++
    const words = text.replace(/\0+$/, '').split('\0')
    const known = look.scanner
      .knownValues(Buffer.from(text), 0, text.length)
      .map(({ name, sha256 }) => ({ name, sha256 }))
    for (const finding of judgeArguments(Number(pid), words, known)) {
      if (said.has(finding.subject)) continue
      said.add(finding.subject)
      look.findings.push(finding)
    }
  }
}

/** Pure: secrets in the arguments of a process. */
export function judgeArguments(
  pid: number,
  words: readonly string[],
  known: readonly { name: string; sha256: string }[] = [],
): Finding[] {
  const program = (words[0] ?? '').replace(/^.*\//, '').slice(0, 100) || 'a process'
  const line = words.map((word) => (/[\s"']/.test(word) ? `"${word.replaceAll('"', "'")}"` : word)).join(' ')
  // "sh -c COMMAND" has a command in one word.
  const inner = words.filter((word) => /\s/.test(word)).flatMap(secretsOfCommand)
  const typed = [...secretsOfCommand(line), ...inner].map(({ name, value }) => ({
    name,
    sha256: shortHash(value),
  }))
  return [...typed, ...known].map(({ name, sha256 }) => ({
    rule: 'secret-in-arguments',
    subject: `process ${program}: ${name}`,
    severity: 'critical',
    summary: `Everybody can read a secret in the arguments of ${program} (process ${pid}): ${name}`,
    remedy: `systemctl status ${pid}\n# Give ${program} the secret by a file or its environment, replace the secret, and restart it`,
    evidence: { program, pid, key: name, sha256 },
  }))
}

/** Histories of shells: what was typed with a secret in it. */
export async function checkHistories(look: Look): Promise<void> {
  const { histories } = look.context.config
  if (histories.length === 0) return look.notHere(HISTORY_RULES, 'the job names no histories')
  let count = 0
  const scanner = new CommandScanner(look.scanner, false)
  for await (const entry of look.files(histories, HISTORY_RULES)) {
    count++
    const scan = await look.search(entry, 'history', 'log', HISTORY_RULES, { mayHoldNul: true, scanner })
    if (scan) look.findings.push(...secretFindings(look.place(entry), scan.matches, WORDS.history))
  }
  if (count === 0 && !look.isDark('secret-in-history')) look.notHere(HISTORY_RULES, 'there are no histories')
}

/** Files in which programs keep credentials: nobody but their owner may read them. */
export async function checkCredentialFiles(look: Look): Promise<void> {
  const { credentialFiles } = look.context.config
  if (credentialFiles.length === 0)
    return look.notHere(['stored-credentials'], 'the job names no files of credentials')
  let count = 0
  for await (const entry of look.files(credentialFiles, CREDENTIAL_RULES)) {
    count++
    look.examined++
    if (entry.size === 0) continue
    if ((entry.mode & 0o077) !== 0 && (await holdsCredential(look, entry.path))) {
      look.findings.push(openFile(entry, look.place(entry).isOpen, 'credentials', null))
    }
    if (!entry.path.endsWith('/.git-credentials')) continue
    look.findings.push({
      rule: 'stored-credentials',
      subject: entry.path,
      severity: 'warning',
      summary: `git keeps passwords and tokens as text in ${entry.path}`,
      remedy: `git config --global --unset-all credential.helper store; rm -- ${shellWord(entry.path)}\n# Replace what was in it, and use an SSH key for git`,
      evidence: { path: entry.path },
    })
  }
  if (count === 0 && !look.isDark('stored-credentials'))
    look.notHere(['stored-credentials'], 'there are no files of credentials')
}

/** Some of these files are mostly settings: an .npmrc without a token may be read by everyone. */
async function holdsCredential(look: Look, path: string): Promise<boolean> {
  if (!/\.(?:npmrc|pypirc|boto)$|\/config(?:\.json)?$|\.my\.cnf$|\.netrc$/.test(path)) return true
  const text = look.text(path, CREDENTIAL_RULES)
  if (text === undefined) return false
  const bytes = Buffer.from(text)
  if (look.scanner.scan(bytes, 0, bytes.length, 'config').length > 0) return true
  return /^\s*(?:machine\b.*\bpassword|password)\s+\S|"auth"\s*:\s*"[^"]{8,}|client-key-data:/m.test(text)
}
