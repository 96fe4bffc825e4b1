import { isSecretName } from '../../agent/contract/mod.ts'
import { judgeValue } from './judge-value.ts'
import { namedValues } from './parse-values.ts'
import type { RuleName } from './rules.ts'

/** What is wrong with a command. `what` names it, and is part of the finding's identity. */
export interface CommandProblem {
  rule: Extract<RuleName, 'password-automation' | 'unverified-transfer' | 'dangerous-command'>
  what: string
  remedy: string
}

const KEY_REMEDY =
  'ssh-keygen -t ed25519 -f KEYFILE\n# Let the host on the other side accept KEYFILE.pub, use "ssh -i KEYFILE -o BatchMode=yes", and take the password out'
const VERIFY_REMEDY = 'Take the option away; for a private authority name its certificate: --cacert FILE'
const shell = '(?:ba|da|z|k|a)?sh'

const PATTERNS: (CommandProblem & { pattern: RegExp })[] = [
  {
    rule: 'password-automation',
    what: 'sshpass',
    pattern: /(?:^|[\s;&|(/"'])sshpass(?:\s|$)/,
    remedy: KEY_REMEDY,
  },
  { rule: 'password-automation', what: 'SSHPASS', pattern: /\bSSHPASS=/, remedy: KEY_REMEDY },
  {
    rule: 'password-automation',
    what: 'expect with a password',
    pattern:
      /\bexpect\b.*assword|assword:?["'}\]]*\s*(?:\{|;)?\s*(?:send|exp_send)\b|send\s+(?:--\s+)?["{].*(?:pass(?:word|wd)?|\$\{?pw)\b/i,
    remedy: KEY_REMEDY,
  },
  {
    rule: 'unverified-transfer',
    what: 'curl --insecure',
    pattern: /\bcurl\b(?:\s+[^;|&]*)?\s(?:--insecure|--proxy-insecure|-[a-zA-Z]*k[a-zA-Z]*)(?=\s|$|["'])/,
    remedy: VERIFY_REMEDY,
  },
  {
    rule: 'unverified-transfer',
    what: 'wget --no-check-certificate',
    pattern: /\bwget\b[^;|&]*\s--no-check-certificate\b/,
    remedy: 'Take the option away; for a private authority name its certificate: --ca-certificate=FILE',
  },
  {
    rule: 'unverified-transfer',
    what: 'rstmdb-cli without verification',
    pattern: /\brstmdb-cli\b[^;|&]*\s(?:-k|--insecure)(?=\s|$|["'])/,
    remedy: 'Name the authority instead: rstmdb-cli --ca-cert FILE',
  },
  {
    rule: 'unverified-transfer',
    what: 'certificates are not verified',
    pattern:
      /\bNODE_TLS_REJECT_UNAUTHORIZED=["']?0|\bGIT_SSL_NO_VERIFY=["']?(?:1|true)|\bhttp\.sslVerify(?:=|\s+)["']?false|\bPYTHONHTTPSVERIFY=["']?0|\s--(?:no-verify-ssl|tls-skip-verify|insecure-skip-tls-verify|skip-tls-verify|no-verify-tls)(?:=true)?(?=\s|$|["'])/,
    remedy: 'Take it away; for a private authority give its certificate to the program',
  },
  {
    rule: 'dangerous-command',
    what: 'runs what it downloads',
    pattern: new RegExp(
      `\\b(?:curl|wget)\\b[^;\\n]*\\|\\s*(?:sudo\\s+)?(?:env\\s+)?(?:/\\S*/)?(?:${shell}|python\\d?|perl|ruby|node)\\b|\\b${shell}\\s+(?:-c\\s+)?["']?[<$]\\(\\s*(?:curl|wget)\\b`,
    ),
    remedy: 'Download to a file, compare its SHA-256 with a known one, and run that',
  },
  {
    rule: 'dangerous-command',
    what: 'opens files to everyone',
    pattern: /\bchmod\s+(?:-\w+\s+)*(?:0?[0-7]?777|a\+rwx|ugo\+rwx|\+rwx|o\+w)\b/,
    remedy: 'Give the group the right instead: chgrp GROUP FILE && chmod 0770 FILE',
  },
  {
    rule: 'dangerous-command',
    what: 'destroys a file system',
    pattern:
      /\bdd\s[^;|&]*\bof=\/dev\/(?:sd|nvme|vd|xvd|mmcblk|dm-)|\bmkfs(?:\.\w+)?\s|\brm\s+(?:-\w+\s+)*-\w*[rR]\w*\s+(?:-\w+\s+)*(?:--no-preserve-root\s+)?["']?\/(?:\*|["']?(?:\s|$))/,
    remedy: 'Take it away: nothing that runs by itself should be able to do that',
  },
]

/** What a scheduler should not be asked to run at all: it catches mistakes, not malice. */
const STRICT: { what: string; pattern: RegExp }[] = [
  { what: 'a shell', pattern: new RegExp(`(?:^|[\\s/])${shell}\\s+-\\w*c\\b`) },
  { what: 'shell operators', pattern: /[;&|<>`]|\$[({]/ },
  { what: 'removes trees', pattern: /\brm\s+(?:-\w+\s+)*-\w*(?:r\w*f|f\w*r)/ },
  { what: 'writes devices', pattern: /\bdd\s+[^;|&]*\bif=|\bmkfs\b|\bformat\s/ },
  { what: 'becomes root', pattern: /(?:^|[\s;&|])(?:sudo|su\s+-|doas)(?=\s|$)/ },
  { what: 'talks to the network', pattern: /(?:^|[\s;&|/])(?:wget|curl|nc|ncat|netcat|telnet)(?=\s|$)/ },
]

/** Pure: what is wrong with a command, or with a line of a script. */
export function judgeCommand(command: string, mode: 'dangerous' | 'strict'): CommandProblem[] {
  const found = PATTERNS.filter(({ pattern }) => pattern.test(command)).map(
    ({ pattern: _, ...problem }) => problem,
  )
  if (mode === 'dangerous') return found
  const strict = STRICT.filter(({ pattern }) => pattern.test(command)).map(
    ({ what }): CommandProblem => ({
      rule: 'dangerous-command',
      what,
      remedy:
        'Put it into a program of its own, which only root can change, and schedule that by its absolute path',
    }),
  )
  return [...found, ...strict]
}

/** The problem that is called so. */
export function problemOf(what: string): CommandProblem | undefined {
  const known = PATTERNS.find((problem) => problem.what === what)
  return known && { rule: known.rule, what, remedy: known.remedy }
}

/** Options of which the argument is a secret: `--password x`, `--token=x`, `-pSECRET` of mysql. */
const OPTION = /(?:^|\s)--?([A-Za-z][\w-]*)(?:=|\s+)(?:"([^"]*)"|'([^']*)'|(\S+))/g
const MYSQL = /\bmysql(?:dump|admin|import|check)?\b[^|;&]*\s-p([^\s"']{4,})/
const USER = /\b(?:curl|wget)\b[^|;&]*\s(?:-u|--user|--proxy-user)(?:=|\s*)["']?[^\s:"']+:([^\s"']+)/
const HASHED =
  /\becho\s+(?:-n\s+)?["']?([^\s"'|]{8,})["']?\s*\|\s*(?:openssl\s+(?:dgst|sha)|sha256sum|shasum)/
const HASH_TOKEN = /\bhash-(?:token|password)\s+(?:--?\S+\s+)*["']?([^\s"'-][^\s"']{3,})/

/** Pure: secrets in the words of a command: what it is called, and the value. */
export function secretsOfCommand(command: string): { name: string; value: string }[] {
  const found: { name: string; value: string }[] = []
  const add = (name: string, value: string | undefined) => {
    if (value === undefined || value.startsWith('-') || judgeValue(value) !== 'literal') return
    if (!found.some((other) => other.value === value)) found.push({ name, value })
  }
  for (const [, option = '', double, single, plain] of command.matchAll(OPTION)) {
    if (isSecretName(option)) add(`--${option}`, double ?? single ?? plain)
  }
  // Assignments before a command: PGPASSWORD=x psql
  for (const { name, value, separator } of namedValues(command)) if (separator === '=') add(name, value)
  add('mysql -p', MYSQL.exec(command)?.[1])
  add('user and password', USER.exec(command)?.[1])
  add('text that is hashed', HASHED.exec(command)?.[1])
  add('hash-token', HASH_TOKEN.exec(command)?.[1])
  return found
}
