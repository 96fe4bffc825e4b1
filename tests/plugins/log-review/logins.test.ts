import { expect, test } from 'bun:test'
import { entriesOf, parseEntries } from '../../../plugins/log-review/journal.ts'
import {
  judgeLogins,
  type LoginLine,
  parseLoginLine,
  readLogins,
} from '../../../plugins/log-review/logins.ts'

const line = (message: string, program = 'sshd', timeMs = 1): LoginLine => ({ program, message, timeMs })

test.each<[message: string, failed: string[], accepted: string[]]>([
  ['Failed password for root from 192.0.2.1 port 5 ssh2', ['root 192.0.2.1'], []],
  ['Failed password for invalid user admin from 192.0.2.1 port 5 ssh2', ['admin 192.0.2.1'], []],
  ['Failed publickey for kim from 2001:db8::1 port 5 ssh2: RSA SHA256:abc', ['kim 2001:db8::1'], []],
  ['Failed none for invalid user admin from 192.0.2.1 port 5 ssh2', [], []],
  ['Accepted publickey for kim from 192.0.2.1 port 5 ssh2: ED25519 SHA256:abc', [], ['kim 192.0.2.1']],
  ['Accepted password for kim from 192.0.2.1 port 5 ssh2', [], ['kim 192.0.2.1']],
  ['Invalid user admin from 192.0.2.1 port 5', ['admin 192.0.2.1'], []],
  ['Invalid user  from 192.0.2.1 port 5', [' 192.0.2.1'], []],
  ['Connection closed by authenticating user root 192.0.2.1 port 5 [preauth]', ['root 192.0.2.1'], []],
  ['Connection reset by invalid user a b 192.0.2.1 port 5 [preauth]', ['a b 192.0.2.1'], []],
  ['Disconnected from authenticating user root 192.0.2.1 port 5 [preauth]', ['root 192.0.2.1'], []],
  ['Disconnected from user kim 192.0.2.1 port 5', [], []],
  ['Connection closed by 192.0.2.1 port 5', [], []],
  ['Server listening on 0.0.0.0 port 22.', [], []],
  // A name that was made to look like the end of a line.
  [
    'Failed password for invalid user x from 198.51.100.9 port 1 ssh2 from 192.0.2.1 port 5 ssh2',
    ['x from 198.51.100.9 port 1 ssh2 192.0.2.1'],
    [],
  ],
  [
    'Invalid user x from 198.51.100.9 port 1 from 192.0.2.1 port 5',
    ['x from 198.51.100.9 port 1 192.0.2.1'],
    [],
  ],
])('readLogins() of %p', (message, failed, accepted) => {
  const logins = readLogins([line(message)])
  const shown = (all: typeof logins.failed) => all.map(({ user, address }) => `${user} ${address}`)
  expect([shown(logins.failed), shown(logins.accepted)]).toEqual([failed, accepted])
})

test('readLogins() counts an attempt once, however many lines tell of it', () => {
  const logins = readLogins([
    line('Invalid user admin from 192.0.2.1 port 5'),
    line('Failed password for invalid user admin from 192.0.2.1 port 5 ssh2'),
    line('Failed password for invalid user admin from 192.0.2.1 port 5 ssh2'),
    line('Connection closed by invalid user admin 192.0.2.1 port 5 [preauth]'),
    line('Invalid user other from 192.0.2.1 port 6', 'sshd-session'),
    line('Connection closed by invalid user other 192.0.2.1 port 6 [preauth]', 'sshd-session'),
    line('Accepted publickey for kim from 192.0.2.2 port 7 ssh2: ED25519 SHA256:abc'),
    line('pam_unix(sudo:auth): authentication failure; logname=kim uid=1000', 'sudo'),
    line('kim : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true', 'sudo'),
    line('FAILED LOGIN (1) on tty1 FOR kim, Authentication failure', 'login'),
  ])
  expect([logins.failed.length, logins.accepted.length, logins.local.length]).toEqual([3, 1, 2])
})

const LIMITS = { atMost: 3, window: 3_600_000, guesses: 2 }
const failures = (count: number, address = '192.0.2.1') =>
  Array.from({ length: count }, (_, index) =>
    line(`Failed password for root from ${address} port ${index} ssh2`, 'sshd', index),
  )
const rules = (lines: LoginLine[]) =>
  judgeLogins(readLogins(lines), LIMITS).map(({ rule, subject }) => `${rule} ${subject}`)

test('judgeLogins() tells of too many failures, and of who got in after some', () => {
  expect(rules(failures(3))).toEqual([])
  expect(rules(failures(4))).toEqual(['failed-logins ssh'])
  const accepted = (timeMs: number, address = '192.0.2.1') =>
    line(`Accepted password for root from ${address} port 99 ssh2`, 'sshd', timeMs)
  expect(rules([...failures(2), accepted(5)])).toEqual(['login-after-failures root from 192.0.2.1'])
  expect(rules([...failures(2), accepted(5, '192.0.2.2')])).toEqual([])
  // What failed later does not count.
  expect(rules([accepted(0), ...failures(3)])).toEqual([])
  expect(rules(Array.from({ length: 4 }, () => line('authentication failure; uid=0', 'su')))).toEqual([
    'failed-logins local',
  ])
  const [finding] = judgeLogins(readLogins([...failures(9), ...failures(2, '192.0.2.2')]), LIMITS)
  expect(finding).toMatchObject({
    evidence: { failed: 11, address: '192.0.2.1', fromAddress: 9, addresses: 2 },
  })
})

test('judgeLogins() puts no name that somebody made up into a command', () => {
  const lines = [
    ...failures(2),
    line('Accepted password for $(reboot) from 192.0.2.1 port 9 ssh2', 'sshd', 9),
  ]
  const [finding] = judgeLogins(readLogins(lines), LIMITS)
  expect(finding?.remedy).not.toContain('reboot')
})

test.each([
  [
    'Nov 22 05:35:44 host sshd[812]: Invalid user a from b',
    { program: 'sshd', message: 'Invalid user a from b' },
  ],
  ['2026-11-22T05:35:44.1+00:00 host sudo: x: y', { program: 'sudo', message: 'x: y' }],
  ['Nov  2 05:35:44 host sshd-session[8]: x', { program: 'sshd-session', message: 'x' }],
])('parseLoginLine(%p)', (text, parsed) => expect(parseLoginLine(text, 7)).toEqual({ ...parsed, timeMs: 7 }))

test('parseLoginLine() knows nothing of other lines', () => {
  expect(parseLoginLine('rubbish', 7)).toBeUndefined()
})

test('parseEntries() reads what journalctl prints, bytes and repeated fields as well', () => {
  const text =
    '{"MESSAGE":"a","SYSLOG_IDENTIFIER":"sshd","__REALTIME_TIMESTAMP":"1795325744123456"}\n' +
    '{"MESSAGE":[104,105],"SYSLOG_IDENTIFIER":["sudo","x"],"__REALTIME_TIMESTAMP":"1795325744123456"}\n' +
    '{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1795325744123456"}\n'
  expect(parseEntries(text)).toEqual([
    { program: 'sshd', message: 'a', timeMs: 1795325744123 },
    { program: 'sudo', message: 'hi', timeMs: 1795325744123 },
    { program: '', message: '', timeMs: 1795325744123 },
  ])
  expect(() => parseEntries('rubbish')).toThrow('no JSON')
  expect(() => parseEntries('{"MESSAGE":"a"}')).toThrow('no entry')
})

const RUN = { exitCode: 0, signal: null, timedOut: false, stdout: '', stderr: '', truncated: false }

test('entriesOf() takes nothing for all that is not all', () => {
  expect(entriesOf(RUN, true)).toEqual({ lines: [], isCut: false })
  for (const [run, reason] of [
    [{ timedOut: true, exitCode: null, signal: 'SIGKILL' }, 'did not end within 20 s'],
    [{ truncated: true }, 'printed more than'],
    [{ exitCode: 1, stderr: 'Failed to open\nmore' }, 'ended with 1: Failed to open'],
    [{ stdout: 'rubbish' }, 'no JSON'],
    [
      { stderr: 'Hint: You are currently not seeing messages from other users and the system.' },
      'does not see',
    ],
    [{ stderr: 'No journal files were found.' }, 'does not see'],
  ] as const) {
    expect(() => entriesOf({ ...RUN, ...run }, false)).toThrow(reason)
  }
  const entry = '{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1795325744123456"}\n'
  expect(entriesOf({ ...RUN, stdout: entry.repeat(20_000) }, true).isCut).toBe(true)
  // Who may read by a capability is in no group that journalctl knows.
  const hint = 'Hint: You are currently not seeing messages from other users and the system.'
  expect(entriesOf({ ...RUN, stdout: entry, stderr: hint }, true).lines).toHaveLength(1)
  expect(() =>
    entriesOf({ ...RUN, stderr: 'No journal files were opened due to insufficient permissions.' }, true),
  ).toThrow('does not see')
})
