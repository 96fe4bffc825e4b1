import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isDockerIgnored, judgeGitConfig } from '../../../plugins/secret-scan/git/judge-repository.ts'
import { judgeCommand, secretsOfCommand } from '../../../plugins/secret-scan/judge-command.ts'
import {
  hasLuhnDigit,
  paymentCards,
  socialSecurityNumbers,
} from '../../../plugins/secret-scan/judge-personal-data.ts'
import { weakness } from '../../../plugins/secret-scan/judge-requirement.ts'
import { isPlaceholder, judgeValue } from '../../../plugins/secret-scan/judge-value.ts'
import { parseEnvironment } from '../../../plugins/secret-scan/parse-environment.ts'
import { parseAssignments, parseUnit } from '../../../plugins/secret-scan/parse-unit.ts'
import { namedValues } from '../../../plugins/secret-scan/parse-values.ts'
import { isSecretHere } from '../../../plugins/secret-scan/scan-text.ts'

test.each([
  ['', 'none'],
  ['  ', 'none'],
  ['null', 'none'],
  ['~', 'none'],
  ['yes', 'none'],
  ['Required', 'none'],
  ['a challenge password', 'none'],
  ['env:DB_PASSWORD', 'reference'],
  ['file:/run/secrets/db', 'reference'],
  ['credential:db', 'reference'],
  ['$DB_PASSWORD', 'reference'],
  ['$1', 'reference'],
  ['$(cat /run/secrets/db)', 'reference'],
  ['`cat x`', 'reference'],
  ['{{ vault.db }}', 'reference'],
  ['%(db_password)s', 'reference'],
  ['@DB_PASSWORD@', 'reference'],
  ['<your password>', 'reference'],
  ['!vault |', 'reference'],
  ['ENC[AES256_GCM,data:abc]', 'reference'],
  ['os.environ["X"]', 'reference'],
  ['getenv("X")', 'reference'],
  ['/run/secrets/db', 'reference'],
  ['/root/.config/app/token', 'reference'],
  ['secrets/db.key', 'reference'],
  ['********', 'hidden'],
  ['[redacted]', 'reference'],
  ['$6$salt$abcdef', 'hidden'],
  ['{SSHA}abcdef', 'hidden'],
  ['hunter2', 'literal'],
  ['changeme', 'literal'],
  ['12345678', 'literal'],
  ['/k3+notApath==', 'literal'],
  ['pa$$w0rd', 'literal'],
])('judgeValue() takes %p for %p', (value, kind) => {
  expect(judgeValue(value)).toBe(kind as 'none')
})

test.each([
  [`\${DB_PASSWORD}`, 'reference'],
  [`\${DB_PASSWORD:-}`, 'reference'],
  [`\${DB_PASSWORD:?not set}`, 'reference'],
  [`\${DB_PASSWORD:-$OTHER}`, 'reference'],
  [`\${DB_PASSWORD:-hunter2}`, 'literal'],
  [`\${{ secrets.TOKEN }}`, 'reference'],
])('judgeValue() takes the shell word %p for %p', (value, kind) => {
  expect(judgeValue(value)).toBe(kind as 'none')
})

test.each([
  'changeme',
  'your-secure-password',
  'CHANGE_ME',
  '...',
  'xxxxxxx',
  'secret',
  'my-password',
  'token-here',
])('isPlaceholder(%p)', (value) => expect(isPlaceholder(value)).toBe(true))

test.each(['q0Zr81kdPl', 'hunter2', 'deadbeefcafe0123'])('isPlaceholder(%p) is false', (value) =>
  expect(isPlaceholder(value)).toBe(false),
)

test.each([
  ['token=abcd1234', ['token', 'abcd1234']],
  ['url?a=1&token=abcd1234&b=2', ['token', 'abcd1234']],
  ['Environment="DB_PASSWORD=a b c" X=1', ['DB_PASSWORD', 'a']],
  ['if password == "x": pass', []],
  ['permfile=/etc/passwd:rw-r--r--', []],
  ['password', []],
  ['a->password > 5', []],
  ['passwd = foo # the password', ['passwd', 'foo']],
])('namedValues(%p) is %p', (line, expected) => {
  expect(namedValues(line).flatMap(({ name, value }) => [name, value])).toEqual(expected)
})

test('namedValues() takes any line without hanging, and never gives what is not in it', () => {
  const parts = fc.constantFrom(
    'password',
    'token',
    ':',
    '=',
    '"',
    "'",
    '`',
    '{',
    '}',
    '[',
    ']',
    ' ',
    ',',
    '\\',
    '#',
    'a',
    '$',
  )
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 200 }), (words) => {
      const line = words.join('')
      for (const { name, value } of namedValues(line)) {
        expect(line).toContain(name)
        expect(line).toContain(value)
      }
    }),
    { seed: 3, numRuns: 2000 },
  )
  const start = performance.now()
  for (const hard of [
    'password"'.repeat(900),
    'password='.repeat(900),
    `${'"'.repeat(8000)}password`,
    'a.'.repeat(4000),
  ]) {
    namedValues(hard)
  }
  expect(performance.now() - start).toBeLessThan(2000)
})

const item = (value: string, separator = ':', isQuoted = false) => ({
  name: 'password',
  value,
  separator,
  isQuoted,
})

test.each([
  [item('user unknown'), 'log', false],
  [item('k9x77ab11cd'), 'log', true],
  [item('hunter2x', '='), 'log', true],
  [item('***', '='), 'log', false],
  [item('changeme', '='), 'log', false],
  [item('Passwort', ':', true), 'code', false],
  [item('k9x77ab11cd', '=', true), 'code', true],
  [item('k9x77ab11cd', '='), 'code', false],
  [item('changeme'), 'config', true],
  [item('your-secure-token'), 'sample', false],
  [item('q0Zr81kdPlmN4vXs7aTb'), 'sample', true],
] as const)('isSecretHere(%j, %p) is %p', (named, kind, expected) => {
  expect(isSecretHere(named, kind)).toBe(expected)
})

test.each([
  ['sshpass -p x ssh host', 'password-automation', 'sshpass'],
  ['export SSHPASS=hunter2', 'password-automation', 'SSHPASS'],
  [
    `expect -c 'spawn ssh h; expect "assword:"; send "x\\r"'`,
    'password-automation',
    'expect with a password',
  ],
  ['curl -k https://h', 'unverified-transfer', 'curl --insecure'],
  ['/usr/bin/curl -fsSkL https://h', 'unverified-transfer', 'curl --insecure'],
  ['curl https://h --insecure -o x', 'unverified-transfer', 'curl --insecure'],
  ['wget -q --no-check-certificate https://h', 'unverified-transfer', 'wget --no-check-certificate'],
  ['rstmdb-cli -s h:7401 -k ping', 'unverified-transfer', 'rstmdb-cli without verification'],
  ['NODE_TLS_REJECT_UNAUTHORIZED=0 node x', 'unverified-transfer', 'certificates are not verified'],
  ['git -c http.sslVerify=false pull', 'unverified-transfer', 'certificates are not verified'],
  ['curl -fsSL https://h | sudo bash', 'dangerous-command', 'runs what it downloads'],
  ['bash <(curl -s https://h)', 'dangerous-command', 'runs what it downloads'],
  ['sh -c "$(wget -qO- https://h)"', 'dangerous-command', 'runs what it downloads'],
  ['chmod -R 777 /srv', 'dangerous-command', 'opens files to everyone'],
  ['chmod a+rwx /srv/x', 'dangerous-command', 'opens files to everyone'],
  ['dd if=/dev/zero of=/dev/sda', 'dangerous-command', 'destroys a file system'],
  ['rm -rf / --no-preserve-root', 'dangerous-command', 'destroys a file system'],
])('judgeCommand(%p) finds %p', (command, rule, what) => {
  expect(judgeCommand(command, 'dangerous').map((problem) => [problem.rule, problem.what])).toEqual([
    [rule, what] as never,
  ])
})

test.each([
  'curl -fsS --cacert /etc/ca.pem https://h',
  'curl -o /tmp/bookmark https://h/-k',
  'curl -H "X-Key: k" https://h',
  'wget -q https://h -O /var/cache/x',
  'chmod 0750 /srv && chown root /srv',
  'rm -rf /var/tmp/x',
  'find / -xdev -name core -delete',
  'test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }',
  'expect-lite --version',
  'dd if=/dev/sda1 of=/backup/sda1.img',
])('judgeCommand(%p) has nothing to say', (command) => {
  expect(judgeCommand(command, 'dangerous')).toEqual([])
})

test.each([
  ['sh -c "a | b"', ['a shell', 'shell operators']],
  ['sudo reboot', ['becomes root']],
  ['curl https://h', ['talks to the network']],
  ['/scripts/backup.sh --full', []],
])('judgeCommand(%p) in strict mode finds %p', (command, expected) => {
  expect(judgeCommand(command, 'strict').map(({ what }) => what)).toEqual(expected)
})

test.each([
  ['rstmdb-cli --token abcd1234 ping', ['--token']],
  ['app --password=hunter2', ['--password']],
  ["app --api-key 'hunter 2'", ['--api-key']],
  ['PGPASSWORD=hunter2 psql', ['PGPASSWORD']],
  ['mysqldump -u root -phunter2 db', ['mysql -p']],
  ['curl -u admin:hunter2 https://h', ['user and password']],
  ['echo -n my-token-1 | openssl dgst -sha256', ['text that is hashed']],
  ['rstmdb-cli hash-token my-token-1', ['hash-token']],
  ['app --password-file /run/secrets/x', []],
  ['app --token $TOKEN', []],
  ['app --token "$(cat x)"', []],
  ['psql -p 5432', []],
  ['curl -u admin https://h', []],
  ['ls --password', []],
])('secretsOfCommand(%p) are %p', (command, names) => {
  expect(secretsOfCommand(command).map(({ name }) => name)).toEqual(names)
})

test('parseEnvironment() reads quotes, comments and continued lines as systemd does', () => {
  const text = `# a\nA=1\nB="two words"\nC='it''s'\n\n;D=no\nE=a\\\nb\nF="x\ny"\nG=\n`
  const { variables, problems } = parseEnvironment(text)
  expect(problems).toEqual([])
  expect(variables.map(({ name, value, line }) => [name, value, line])).toEqual([
    ['A', '1', 2],
    ['B', 'two words', 3],
    ['C', "it's", 4].map((part, index) => (index === 1 ? expect.any(String) : part)) as never,
    ['E', 'ab', 7],
    ['F', 'x\ny', 9],
    ['G', '', 11],
  ])
})

test.each([
  ['export A=1\n', [[1, '"export" before the name: systemd takes the line for none of its own']]],
  ['A=1\r\nB=2\r\n', [[1, 'its lines end with CR LF: the CR becomes part of values']]],
  ['just words\n', [[1, 'it has no "="']]],
  ['A B=1\n', [[1, 'what stands before "=" is no name of a variable']]],
  ['A =1\n', [[1, 'there is a blank before "="']]],
  ['A="open\n', [[1, 'a quote is not closed']]],
  ['\uFEFFA=1\n', [[1, 'it begins with a byte order mark, which becomes part of the first name']]],
  ['A=1\nB="a # b"\n', []],
] as const)('parseEnvironment(%j) complains about %j', (text, expected) => {
  expect(parseEnvironment(text).problems.map(({ line, what }) => [line, what])).toEqual(expected as never)
})

test('parseUnit() puts continued lines together and keeps the line where a setting begins', () => {
  const settings = parseUnit('[Service]\n# x\nExecStart=/bin/a \\\n  --b\nEnvironment="A=b c" \'D=e\' F=g\n')
  expect(settings.map(({ key, value, line }) => [key, value, line])).toEqual([
    ['ExecStart', '/bin/a  --b', 3],
    ['Environment', `"A=b c" 'D=e' F=g`, 5],
  ])
  expect(parseAssignments(settings[1]?.value ?? '')).toEqual([
    { name: 'A', value: 'b c' },
    { name: 'D', value: 'e' },
    { name: 'F', value: 'g' },
  ])
})

const requirement = { name: 'T', files: [], minimumLength: 64, pattern: 'hex' as const, optional: false }

test.each([
  ['0123456789abcdef'.repeat(4), undefined],
  ['your-secure-token', 'a placeholder'],
  ['...', 'a placeholder'],
  ['abc123', '6 characters, wanted at least 64'],
  ['0123456789abcdeg'.repeat(4), 'other characters than hex digits in pairs'],
  ['a'.repeat(64), 'a few characters again and again'],
])('weakness() of %p as 64 hex digits is %p', (value, expected) => {
  expect(weakness(requirement, value)).toBe(expected)
})

test.each([
  ['production,staging', undefined],
  ['*', 'a wildcard in its list'],
  ['a,,b', 'an empty name in its list'],
])('weakness() of the list %p is %p', (value, expected) => {
  expect(weakness({ ...requirement, pattern: 'list' }, value)).toBe(expected)
})

test('paymentCards() takes numbers with the digit of Luhn and the form of an issuer only', () => {
  // Made of an issuer's first digits and a check digit of our own.
  const withCheckDigit = (start: string) =>
    [...'0123456789'].map((digit) => start + digit).find(hasLuhnDigit) ?? ''
  const visa = withCheckDigit('453201511283036')
  const amex = withCheckDigit('37144963539843')
  expect(paymentCards(`a ${visa} b`)).toEqual([2])
  expect(paymentCards(visa.replace(/(.{4})(?=.)/g, '$1 '))).toEqual([0])
  expect(paymentCards(amex)).toEqual([0])
  const wrong = visa.slice(0, -1) + ((Number(visa.at(-1)) + 1) % 10)
  expect(paymentCards(wrong)).toEqual([])
  expect(paymentCards('4111 1111 1111 1111')).toEqual([]) // published for tests
  expect(paymentCards(`1${visa}`)).toEqual([])
  expect(paymentCards(withCheckDigit('123456789012345'))).toEqual([])
})

test('socialSecurityNumbers() leaves out what is given to nobody', () => {
  expect(socialSecurityNumbers('a 123-45-6789 b')).toEqual([2])
  for (const none of [
    '000-12-3456',
    '666-12-3456',
    '912-12-3456',
    '123-00-4567',
    '123-45-0000',
    '1123-45-6789',
  ]) {
    expect(socialSecurityNumbers(none)).toEqual([])
  }
})

test.each([
  ['.env\n', '.env', true],
  ['# .env\n', '.env', false],
  ['*\n!app\n', '.env', true],
  ['*\n!.env\n', '.env', false],
  ['/data\n', 'data/secrets', true],
  ['**/*.env\n', 'a/b/c.env', true],
  ['**/.env\n', '.env', true],
  ['.env.*\n', '.env', false],
  ['', '.env', false],
])('isDockerIgnored(%p, %p) is %p', (file, path, expected) => {
  expect(isDockerIgnored(file, path)).toBe(expected)
})

test('judgeGitConfig() takes addresses without a credential for what they are', () => {
  const text =
    '[remote "a"]\n\turl = git@example.org:a.git\n[remote "b"]\n\turl = https://deploy@example.org/b.git\n' +
    '[remote "c"]\n\turl = ssh://git@example.org:22/c.git\n[credential]\n\thelper = cache\n[core]\n\thooksPath = .husky\n'
  expect(judgeGitConfig(text)).toEqual({ secrets: [], storesCredentials: undefined, hooksPath: '.husky' })
})
