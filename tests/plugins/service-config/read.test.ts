import { expect, test } from 'bun:test'
import { suspicionsOf } from '../../../plugins/service-config/ofelia/commands.ts'
import { comingOf } from '../../../plugins/service-config/ofelia/schedule.ts'
import { goBoolean, goDuration } from '../../../plugins/service-config/ofelia/values.ts'
import { reachOfHost, splitAddress } from '../../../plugins/service-config/reach.ts'
import { hostSide } from '../../../plugins/service-config/read/compose.ts'
import { parseIni } from '../../../plugins/service-config/read/ini.ts'
import { parseUnit, splitWords } from '../../../plugins/service-config/read/unit.ts'

// As gopkg.in/ini.v1 reads it with AllowShadows and InsensitiveKeys.
const readIni = (text: string) =>
  [...parseIni(text).sections.values()].flatMap(({ name, keys }) =>
    [...keys.values()].flatMap((key) =>
      key.values.map((it) => `${it.line} ${name}.${key.folded}=${it.text}`),
    ),
  )
test.each<[string, string, string[]]>([
  ['both delimiters', '[a]\nx = 1\ny: 2', ['2 a.x=1', '3 a.y=2']],
  [
    'keys without case and separators',
    '[a]\nSMTPPassword=1\nsmtp_password=2\nsmtp-password=3',
    ['2 a.smtppassword=1', '3 a.smtppassword=2', '4 a.smtppassword=3'],
  ],
  ['sections of one name', '[a]\nx=1\n[b]\n[a]\ny=2', ['2 a.x=1', '5 a.y=2']],
  ['keys before the first section', 'x=1', ['1 DEFAULT.x=1']],
  ['comments', '; a\n# b\n[a]\nx = 1 ; c\ny = 2 # d', ['4 a.x=1', '5 a.y=2']],
  ['what is no comment to people', '[a]\nx = a#b\ny = #c\nz = "q;r"', ['2 a.x=a', '3 a.y=', '4 a.z="q']],
  ['quotes', `[a]\nx = "1 2"\ny = '3'\nz = \`a#b\``, ['2 a.x=1 2', '3 a.y=3', '4 a.z=a#b']],
  ['values over lines', '[a]\nx = 1 \\\n  2\ny = """a\nb"""\nz = 3', ['2 a.x=1 2', '4 a.y=a\nb', '6 a.z=3']],
  ['a bracket in a name', '[job-exec "a[b]"]\nx=1', ['2 job-exec "a[b]".x=1']],
  ['lines of Windows', '[a]\r\nx = 1\r\n', ['2 a.x=1']],
  ['empty values', '[a]\nx =\ny=', ['2 a.x=', '3 a.y=']],
])('parseIni() reads %s', (_, text, wanted) => {
  expect(readIni(text)).toEqual(wanted)
})

test('splitWords() keeps the line of every word, and splits as systemd does', () => {
  const [setting] = parseUnit(
    '# x\n[Service]\nEnvironment="A=b c" \\\n# between\n  B=2 \\\n  \'C=\\n\' D=a\\sb\n',
  ).filter(({ key }) => key === 'Environment')
  expect(setting && splitWords(setting)).toEqual([
    { text: 'A=b c', line: 3 },
    { text: 'B=2', line: 5 },
    { text: 'C=\\n', line: 6 },
    { text: 'D=a b', line: 6 },
  ])
})

test.each<[string, ReturnType<typeof hostSide>]>([
  ['8081:8081', { address: '', hostPort: '8081', containerPort: '8081' }],
  ['127.0.0.1:8081:8081/tcp', { address: '127.0.0.1', hostPort: '8081', containerPort: '8081' }],
  ['[::1]:80:8080', { address: '::1', hostPort: '80', containerPort: '8080' }],
  ['8080', { address: '', hostPort: '', containerPort: '8080' }],
  ['8000-8010:8000-8010', { address: '', hostPort: '8000-8010', containerPort: '8000-8010' }],
  ['what', undefined],
])('hostSide() of %s', (port, wanted) => {
  expect(hostSide(port)).toEqual(wanted)
})

test.each([
  ['127.0.0.1', 'this host'],
  ['::1', 'this host'],
  ['localhost', 'this host'],
  ['', 'everywhere'],
  ['0.0.0.0', 'everywhere'],
  ['::', 'everywhere'],
  ['10.0.4.20', 'the private network'],
  ['100.64.0.1', 'the private network'],
  ['fd00::1', 'the private network'],
  ['203.0.113.9', 'everywhere'],
  ['db.example.org', 'everywhere'],
])('reachOfHost() of %s is %s', (host, reach) => {
  expect<string>(reachOfHost(host)).toBe(reach)
})

test('splitAddress() takes what programs take for an address with a port', () => {
  expect([':8081', '[::]:1', 'a:0', '1.2.3.4:65535'].map(splitAddress)).toEqual([
    { host: '', port: 8081 },
    { host: '::', port: 1 },
    { host: 'a', port: 0 },
    { host: '1.2.3.4', port: 65_535 },
  ])
  expect(['', 'a', '::1', '1.2.3.4:65536', 'a:b'].map(splitAddress)).toEqual(Array(5).fill(undefined))
})

test.each<[string, number | undefined]>([
  ['1h30m', 5_400_000],
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['0', 0],
  ['-5m', -300_000],
  ['10us', 0.01],
  ['2w', undefined],
  ['30 m', undefined],
  ['', undefined],
  ['5', undefined],
])('goDuration() of "%s"', (text, wanted) => {
  expect(goDuration(text)).toBe(wanted)
})

test('goBoolean() takes the words of Go and no others', () => {
  expect(['1', 'T', 'True', '0', 'FALSE', 'yes', 'on', ''].map(goBoolean)).toEqual([
    true,
    true,
    true,
    false,
    false,
    undefined,
    undefined,
    undefined,
  ])
})

const NOW = new Date('2026-11-22T12:00:00Z')
test.each<[string, string]>([
  ['0 2 * * *', '2026-11-23T02:00:00.000Z'],
  ['*/30 * * * * *', '2026-11-22T12:00:30.000Z'],
  ['0 9 * * MON-FRI', '2026-11-23T09:00:00.000Z'],
  ['0 0 29 2 *', '2028-02-29T00:00:00.000Z'],
  ['@weekly', '2026-11-29T00:00:00.000Z'],
  ['@every 1h30m', '2026-11-22T13:30:00.000Z'],
  ['CRON_TZ=Asia/Tokyo 0 6 * * *', '2026-11-22T21:00:00.000Z'],
  ['0 0 L * *', 'at some time'],
  ['@manual', 'by hand'],
  ['0 0 31 4 *', 'never'],
  ['0 0 30 2 *', 'never'],
  ['60 * * * *', 'never'],
  ['0 25 * * *', 'never'],
  ['H H * * *', 'never'],
  ['@every', 'never'],
  ['@every -5m', 'never'],
  ['daily', 'never'],
  ['', 'never'],
])('comingOf() of "%s" is %s', (schedule, wanted) => {
  const coming = comingOf(schedule, NOW)
  expect(coming.kind === 'at' ? (coming.time?.toISOString() ?? 'at some time') : coming.kind).toBe(wanted)
})

test.each<[string, string[]]>([
  ['/scripts/backup.sh --dry-run', []],
  ['vacuumdb --all', []],
  ['touch /tmp/format', []],
  ['restic backup /data', []],
  ['rm -r -f /data', ['rm -rf']],
  ['rm -f /data/x', []],
  ['dd if=/dev/zero of=/x', ['dd']],
  ['mkfs.ext4 /dev/sdb', ['mkfs']],
  ['sudo -u a b', ['sudo']],
  ['su - a', ['su']],
  ['/usr/bin/wget x', ['wget']],
  ['nc -l 1', ['nc']],
  ['rsync a b', []],
  ['chmod -R 0777 /a', ['chmod 777']],
  ['chmod 0750 /a', []],
  ['bash -lc "a"', ['sh -c']],
  ['/bin/sh -e script', []],
  ['a && b', ['&&']],
  ['echo "a | b"', []],
  ['psql -c "select 1; select 2"', []],
])('suspicionsOf() of "%s"', (command, found) => {
  expect(suspicionsOf(command).map(({ what }) => what)).toEqual(found)
})
