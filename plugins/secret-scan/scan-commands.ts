import type { Anchor } from './anchors.ts'
import { judgeCommand, secretsOfCommand } from './judge-command.ts'
import type { TextScanner } from './scan-file.ts'
import { isNameByte, type SecretMatch, shortHash, type TextKind } from './scan-text.ts'
import { AnchorSearch } from './search.ts'

/** What a command that `judgeCommand` or `secretsOfCommand` has something to say about cannot be without. */
const COMMANDS: Anchor[] = [
  ...[
    'sshpass',
    'expect',
    'assword',
    'curl',
    'wget',
    'rstmdb-cli',
    'tls_reject',
    'ssl_no_verify',
    'sslverify',
  ],
  ...[
    'httpsverify',
    'verify',
    'chmod',
    'mkfs',
    'of=/dev/',
    'rm -',
    'mysql',
    'hash-',
    'openssl',
    'sha256sum',
    'shasum',
  ],
].map((text): Anchor => ({ text, kind: 'shape' }))
/** Part of the name of an option: --token x. */
const OPTIONS: Anchor[] = ['pass', 'pwd', 'token', 'secret', 'key'].map(
  (text): Anchor => ({ text, kind: 'name' }),
)

const NEWLINE = 10
const BACKSLASH = 92
const DASH = 45
const MAX_LINE_BYTES = 16_384

/**
 * Searches scripts, tables of cron and histories: for secrets as in any text, for those in the options of commands, and
 * for what commands should not do. Lines that end with a backslash are one command.
 */
export class CommandScanner implements TextScanner {
  private readonly search = new AnchorSearch([...COMMANDS, ...OPTIONS])

  constructor(
    private readonly inner: TextScanner,
    /** Whether what commands do is judged, too. */
    private readonly judgesCommands: boolean,
  ) {}

  scan(bytes: Buffer, start: number, end: number, kind: TextKind): SecretMatch[] {
    const found = this.inner.scan(bytes, start, end, kind)
    const known = new Set(found.map(({ sha256 }) => sha256))
    let done = start
    this.search.search(bytes, start, end, (anchor, from) => {
      if (from < done || (anchor.kind === 'name' && !isOption(bytes, from, start))) return
      const line = commandAround(bytes, from, start, end)
      done = line.end
      const text = bytes.toString('utf8', line.start, line.end)
      if (/^\s*#/.test(text)) return
      const command = text.replaceAll(/\\\r?\n/g, ' ')
      const at = { offset: line.start, linesAfter: 0 }
      if (this.judgesCommands) {
        for (const { what } of judgeCommand(command, 'dangerous')) {
          found.push({ kind: 'command', name: what, sha256: '', ...at })
        }
      }
      // In other languages than the shell there are no options.
      if (kind === 'code') return
      for (const { name, value } of secretsOfCommand(command)) {
        const sha256 = shortHash(value)
        if (!known.has(sha256)) found.push({ kind: 'named', name, sha256, ...at })
        known.add(sha256)
      }
    })
    return found
  }
}

function isOption(bytes: Buffer, from: number, start: number): boolean {
  let at = from
  while (at > start && isNameByte(bytes[at - 1] as number)) at--
  return bytes[at] === DASH
}

function commandAround(
  bytes: Buffer,
  from: number,
  start: number,
  end: number,
): { start: number; end: number } {
  const first = Math.max(start, from - MAX_LINE_BYTES)
  const last = Math.min(end, from + MAX_LINE_BYTES)
  let lineStart = from
  while (lineStart > first) {
    if (bytes[lineStart - 1] === NEWLINE && bytes[lineStart - 2] !== BACKSLASH) break
    lineStart--
  }
  let lineEnd = from
  while (lineEnd < last) {
    if (bytes[lineEnd] === NEWLINE && bytes[lineEnd - 1] !== BACKSLASH) break
    lineEnd++
  }
  return { start: lineStart, end: lineEnd }
}
