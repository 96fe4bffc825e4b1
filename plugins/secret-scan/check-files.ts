import type { Entry } from '../../agent/contract/mod.ts'
import { secretFindings, WORDS } from './findings.ts'
import type { RuleName } from './rules.ts'
import type { FileMatch } from './scan-file.ts'
import type { Look } from './scan-files.ts'
import type { TextKind } from './scan-text.ts'

const CONFIG_RULES: RuleName[] = ['secret-in-config', 'known-bad-hash', 'high-entropy']
const LOG_RULES: RuleName[] = ['secret-in-log']
const SAMPLE =
  /(?:\.(?:example|sample|dist|template|tmpl|in|default)|[.-](?:example|sample)\.\w+)$|\/(?:examples?|samples?)\//
/** In a program, what is not in quotes is a name or a number. */
const PROGRAM = /\.(?:py|pl|pm|rb|lua|js|mjs|cjs|ts|go|c|h|java)$/
/** What is made to hold a private key. */
const KEY_FILE = /\.(?:pem|key|crt|p8|ppk)$|_key$|\/(?:id_\w+|identity)$|\/(?:private|private-keys-v1\.d)\//
const COMPRESSED = /\.(?:gz|xz|bz2|zst|lz4|zip|Z|7z)$/
/** Logs in a form of their own, that no text search understands. */
const BINARY_LOG = /\.(?:journal~?|db|sqlite3?|pcap|etl)$|\/(?:wtmp|btmp|lastlog|faillog|tallylog)(?:\.\d+)?$/

/** How the text of a file is to be judged, by its name. Pure. */
export function kindOfFile(path: string): TextKind {
  if (SAMPLE.test(path)) return 'sample'
  return PROGRAM.test(path) ? 'program' : 'config'
}

/** Configuration files: secrets as text, hashes that everybody knows. */
export async function checkFiles(look: Look): Promise<void> {
  const { files, privateFiles, logs } = look.context.config
  if (files.length === 0) return look.notHere(CONFIG_RULES, 'the job names no configuration files')
  // What is a log is judged as one.
  const isLog = logs.length > 0 ? (path: string) => path.startsWith('/var/log/') : () => false
  let count = 0
  for await (const entry of look.files(files, CONFIG_RULES)) {
    if (isLog(entry.path)) continue
    count++
    const scan = await look.search(entry, 'config', kindOfFile(entry.path), CONFIG_RULES)
    if (!scan || scan.matches.length === 0) continue
    look.findings.push(...judgeConfig(look, entry, scan.matches, privateFiles === 'ok'))
  }
  if (count === 0 && !look.isDark('secret-in-config'))
    look.notHere(CONFIG_RULES, 'no configuration file matches')
  else if (look.context.config.entropy === 'off') look.notHere(['high-entropy'], 'it is switched off')
}

function judgeConfig(look: Look, entry: Entry, matches: FileMatch[], arePrivateOk: boolean) {
  const place = look.place(entry)
  const hashes = matches.filter(({ kind }) => kind === 'known-hash')
  const random = matches.filter(({ kind }) => kind === 'entropy')
  const secrets = matches.filter(({ kind }) => {
    if (kind === 'known-hash' || kind === 'entropy') return false
    if (place.isOpen) return true
    return !arePrivateOk && !(kind === 'private-key' && KEY_FILE.test(entry.path))
  })
  return [
    ...secretFindings(place, secrets, WORDS.config),
    ...secretFindings(place, hashes, WORDS.hash),
    ...secretFindings(place, random, WORDS.entropy),
  ]
}

/** Logs: from their end, for what they must not show. */
export async function checkLogs(look: Look): Promise<void> {
  const { logs, logBytes } = look.context.config
  if (logs.length === 0) return look.notHere(LOG_RULES, 'the job names no logs')
  let count = 0
  for await (const entry of look.files(logs, LOG_RULES)) {
    if (COMPRESSED.test(entry.path)) {
      look.leftOut.compressed++
      look.skipped++
      continue
    }
    if (BINARY_LOG.test(entry.path)) {
      look.leftOut.binary++
      look.skipped++
      continue
    }
    count++
    const scan = await look.search(entry, 'log', 'log', LOG_RULES, { tailBytes: logBytes, mayHoldNul: true })
    if (!scan || scan.matches.length === 0) continue
    const place = look.place(entry)
    look.findings.push(...secretFindings(place, scan.matches, WORDS.log))
  }
  if (count === 0 && !look.isDark('secret-in-log')) look.notHere(LOG_RULES, 'there are no logs')
}
