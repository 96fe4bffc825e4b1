import { type Finding, formatDuration } from '../../agent/contract/mod.ts'

/** A line of the journal or of a log of logins. */
export interface LoginLine {
  /** "sshd", "sudo" */
  program: string
  message: string
  timeMs: number
}

interface Login {
  timeMs: number
  address: string
  user: string
}

export interface Logins {
  /** Attempts over SSH that failed, each once. */
  failed: Login[]
  accepted: Login[]
  /** Of sudo, su and at the console. */
  local: { timeMs: number; program: string }[]
}

// Names of users are the attacker's choice. Therefore each expression is tied to the end of the line, and the first
// part takes as much as it can.
const FAILED = /^Failed (?!none )\S+ for (.*) from (\S+) port (\d+)(?: ssh2?)?(?:: .*)?$/s
const ACCEPTED = /^Accepted \S+ for (.*) from (\S+) port (\d+)(?: ssh2?)?(?:: .*)?$/s
const STRANGER = /^Invalid user (.*) from (\S+) port (\d+)$/s
const GONE =
  /^(?:Connection (?:closed|reset) by|Disconnected from) (?:authenticating|invalid) user (.*) (\S+) port (\d+)(?: \[preauth\])?$/s
/** "Nov 22 05:35:44 host sshd[812]: message", the time in any form. */
const SYSLOG_LINE = /^(?:\S+ {1,2}\d{1,2} [\d:]{8}|\S+) \S+ ([\w./-]{1,100})(?:\[\d+\])?: (.*)$/s
const LOCAL = /authentication failure;|^FAILED LOGIN |incorrect password attempt/

/**
 * What lines of sshd, sudo, su and login tell. A connection that failed without a line "Failed …", as one with the wrong
 * key does, counts once. Pure.
 */
export function readLogins(lines: LoginLine[]): Logins {
  const logins: Logins = { failed: [], accepted: [], local: [] }
  const connections = new Map<string, Login>()
  const told = new Set<string>()
  for (const { program, message, timeMs } of lines) {
    if (!program.startsWith('sshd')) {
      if (LOCAL.test(message)) logins.local.push({ timeMs, program })
      continue
    }
    const failed = FAILED.exec(message)
    const accepted = ACCEPTED.exec(message)
    const gone = STRANGER.exec(message) ?? GONE.exec(message)
    const [, user = '', address = '', port = ''] = failed ?? accepted ?? gone ?? []
    if (address === '') continue
    const login: Login = { timeMs, address, user: user.replace(/^invalid user /, '') }
    const connection = `${address} ${port}`
    if (failed || accepted) told.add(connection)
    if (failed) logins.failed.push(login)
    else if (accepted) logins.accepted.push(login)
    else connections.set(connection, login)
  }
  for (const [connection, login] of connections) if (!told.has(connection)) logins.failed.push(login)
  return logins
}

/** A line of auth.log; undefined when it is of another form. Pure. */
export function parseLoginLine(text: string, timeMs: number): LoginLine | undefined {
  const [, program, message] = SYSLOG_LINE.exec(text) ?? []
  return program === undefined || message === undefined ? undefined : { program, message, timeMs }
}

export interface LoginLimits {
  atMost: number
  window: number
  guesses: number
}

/** Pure. */
export function judgeLogins(
  { failed, accepted, local }: Logins,
  { atMost, window, guesses }: LoginLimits,
): Finding[] {
  const findings: Finding[] = []
  const within = `within ${formatDuration(window)}, wanted at most ${atMost}`
  if (failed.length > atMost) {
    const [[address, count] = ['', 0]] = [...countBy(failed.map((login) => login.address))].toSorted(
      (a, b) => b[1] - a[1],
    )
    findings.push({
      rule: 'failed-logins',
      subject: 'ssh',
      severity: 'warning',
      summary: `${failed.length} logins over SSH failed ${within}; ${count} of them from ${address}`,
      remedy:
        'See who tries: journalctl -t sshd -t sshd-session --since -1h | grep -c Failed\n' +
        'Let fewer try: ufw limit OpenSSH; or let only known addresses in: ufw allow from ADDRESS to any port 22 proto tcp',
      evidence: {
        failed: failed.length,
        address,
        fromAddress: count,
        addresses: countBy(failed.map((one) => one.address)).size,
      },
    })
  }
  if (local.length > atMost) {
    findings.push({
      rule: 'failed-logins',
      subject: 'local',
      severity: 'warning',
      summary: `${local.length} logins of sudo, su and the console failed ${within}`,
      remedy: 'See who tries: journalctl -t sudo -t su -t login --since -1h',
      evidence: { failed: local.length },
    })
  }
  return [...findings, ...breaches(failed, accepted, guesses)]
}

/** Who got in from an address that had failed so often before. */
function breaches(failed: Login[], accepted: Login[], guesses: number): Finding[] {
  const found = new Map<string, Finding>()
  for (const { address, user, timeMs } of accepted) {
    const before = failed.filter((login) => login.address === address && login.timeMs <= timeMs).length
    const subject = `${user} from ${address}`.slice(0, 500)
    if (before < guesses || found.has(subject)) continue
    found.set(subject, {
      rule: 'login-after-failures',
      subject,
      severity: 'critical',
      summary: `${subject} was let in over SSH after ${before} logins from there had failed`,
      remedy: `If it was not meant to be so: passwd --lock ${/^[\w.-]+$/.test(user) ? user : 'USER'}; take its keys out of authorized_keys; see what it did: journalctl _UID=$(id -u ${/^[\w.-]+$/.test(user) ? user : 'USER'})`,
      evidence: { address, failed: before, at: new Date(timeMs).toISOString() },
    })
  }
  return [...found.values()]
}

function countBy(texts: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
