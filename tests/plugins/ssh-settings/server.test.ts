import { expect, test } from 'bun:test'
import { judgeServer } from '../../../plugins/ssh-settings/judge-server.ts'
import { parseServer, splitWords } from '../../../plugins/ssh-settings/parse-server.ts'

const MAIN = '/etc/ssh/sshd_config'
const GOOD = 'PasswordAuthentication no\nKbdInteractiveAuthentication no\n'
const judge = (text: string, files: Record<string, string> = {}) =>
  judgeServer(
    parseServer(MAIN, text, (pattern) =>
      Object.entries(files)
        .filter(([path]) => path.startsWith(pattern.replace(/\*.*/, '')))
        .map(([path, content]) => ({ path, text: content })),
    ),
  )
const told = (findings: ReturnType<typeof judge>) =>
  findings.map(({ rule, evidence }) => `${rule} ${evidence?.place ?? '-'}`)

const cases: [name: string, text: string, verdicts: string[]][] = [
  ['passwords are switched off', GOOD, []],
  ['nothing is said', '', ['password-login -', 'password-login -']],
  ['an older name is used', 'PasswordAuthentication no\nChallengeResponseAuthentication no', []],
  [
    'keys and values are in any case, with an equals sign',
    'passwordAuthentication=NO\nKBDINTERACTIVEAUTHENTICATION No',
    [],
  ],
  ['the first of two counts', `PasswordAuthentication yes\n${GOOD}`, [`password-login ${MAIN}:1`]],
  [
    'a Match block lets some in',
    `${GOOD}Match User backup\n  PasswordAuthentication yes`,
    [`password-login ${MAIN}:4`],
  ],
  ['a block for all is for all', `Match User x\nX11Forwarding no\nMatch all\n${GOOD}`, []],
  ['root may come by password', `${GOOD}PermitRootLogin yes`, [`root-login ${MAIN}:3`]],
  ['root may come by key', `${GOOD}PermitRootLogin without-password`, []],
  ['empty passwords are taken', `${GOOD}PermitEmptyPasswords yes`, [`empty-passwords ${MAIN}:3`]],
  ['modes of files do not matter', `${GOOD}StrictModes no`, [`loose-setting ${MAIN}:3`]],
  ['.rhosts counts', `${GOOD}IgnoreRhosts no`, [`loose-setting ${MAIN}:3`]],
  ['hosts are trusted', `${GOOD}HostbasedAuthentication yes`, [`loose-setting ${MAIN}:3`]],
  ['the environment is taken', `${GOOD}PermitUserEnvironment yes`, [`loose-setting ${MAIN}:3`]],
  ['CBC is offered', `${GOOD}Ciphers aes256-gcm@openssh.com,aes128-cbc`, [`weak-algorithm ${MAIN}:3`]],
  ['CBC is taken away', `${GOOD}Ciphers -aes128-cbc,3des-cbc`, []],
  ['SHA-1 is added', `${GOOD}KexAlgorithms +diffie-hellman-group14-sha1`, [`weak-algorithm ${MAIN}:3`]],
]
for (const [name, text, verdicts] of cases) {
  test(`judgeServer() says ${verdicts.join(', ') || 'nothing'} when ${name}`, () => {
    expect(told(judge(text))).toEqual(verdicts)
  })
}

test('parseServer() reads included files where they stand, and ends their Match blocks with them', () => {
  const files = {
    '/etc/ssh/sshd_config.d/10-a.conf': 'Match User x\nPasswordAuthentication yes',
    '/etc/ssh/sshd_config.d/20-b.conf': GOOD,
  }
  expect(told(judge('Include sshd_config.d/*.conf\nPasswordAuthentication yes', files))).toEqual([
    'password-login /etc/ssh/sshd_config.d/10-a.conf:2',
  ])
})

test('parseServer() ends with files that include themselves', () => {
  expect(told(judge(`${GOOD}Include ${MAIN}`, { [MAIN]: `Include ${MAIN}\nPermitRootLogin yes` }))).toEqual([
    `root-login ${MAIN}:2`,
  ])
})

test.each([
  ['Port 22 # comment', ['Port', '22']],
  ['Banner "/etc/a b"', ['Banner', '/etc/a b']],
  ['# all of it', []],
  ['  Port=22\r', ['Port', '22']],
])('splitWords() of %j is %j', (line, words) => {
  expect(splitWords(line)).toEqual(words)
})
