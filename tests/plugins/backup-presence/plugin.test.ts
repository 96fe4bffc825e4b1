import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type { Json } from '../../../agent/contract/report.ts'
import { isPart } from '../../../plugins/backup-presence/judge.ts'
import plugin from '../../../plugins/backup-presence/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(60_000)

const NOW = new Date('2027-01-15T08:00:00Z')
const HOUR_MS = 3_600_000
/** An OpenPGP message with AES-256 by password, as far as it is looked at. */
const GPG = Buffer.from([0xc3, 4, 4, 9, 0, 2, 0xd2, 100, 1])
const sized = (bytes: number) => Buffer.concat([GPG, Buffer.alloc(bytes - GPG.length)])

class Place implements Disposable {
  private readonly directory = temporaryDirectory('reeve-backups')
  readonly path = this.directory.path
  readonly state = `${this.path}/state`

  put(name: string, content: string | Uint8Array, hours = 1, mode = 0o600): string {
    const path = `${this.path}/${name}`
    mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
    writeFileSync(path, content)
    chmodSync(path, mode)
    const seconds = (NOW.getTime() - hours * HOUR_MS) / 1000
    utimesSync(path, seconds, seconds)
    return path
  }

  async check(backup: Record<string, unknown> = {}, more: Record<string, unknown> = {}, memory?: Json) {
    const config = { backups: [{ name: 'app', files: `${this.path}/b/*`, ...backup }], ...more }
    const run = pluginUnderTest(plugin, config, {
      stateDir: this.state,
      now: NOW,
      ...(memory === undefined ? {} : { memory }),
    })
    return await run.check()
  }

  async verdicts(backup: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
    const { findings, blind } = await this.check(backup, more)
    const short = (text: string) => text.replaceAll(`${this.path}/`, '')
    return {
      findings: findings.map(({ severity, rule, subject }) => `${severity} ${rule} ${short(subject)}`),
      blind: (blind ?? []).map(({ subject, rules }) => `${short(subject)}: ${rules?.join(' ')}`),
    }
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }
}

type Files = [name: string, content: string | Uint8Array, hours?: number, mode?: number][]
type Case = [
  name: string,
  backup: Record<string, unknown>,
  files: Files,
  findings: string[],
  blind?: string[],
  more?: Record<string, unknown>,
]
const CSV = 'host,address\nweb1,10.0.0.1\n'
const FORMAT = 'backup-not-encrypted weak-backup-cipher'
const cases: Case[] = [
  ['it is new, encrypted and private', {}, [['b/1.gpg', GPG]], []],
  ['there is none', {}, [], ['critical backup-missing app']],
  ['it is too old', {}, [['b/1.gpg', GPG, 27]], ['critical backup-old app']],
  [
    'the newest of several is new',
    {},
    [
      ['b/1.gpg', GPG, 90],
      ['b/2.gpg', GPG, 2],
      ['b/3.gpg', GPG, 50],
    ],
    [],
  ],
  ['it is dated in the future', {}, [['b/1.gpg', GPG, -5]], [], ['b/1.gpg: backup-old']],
  ['it is empty', {}, [['b/1.gpg', '']], ['critical backup-size-odd app']],
  [
    'it is far smaller than those before',
    {},
    [
      ['b/1', sized(100)],
      ['b/2', sized(1000), 25],
      ['b/3', sized(1010), 49],
    ],
    ['warning backup-size-odd app'],
  ],
  [
    'it grew a little',
    {},
    [
      ['b/1', sized(1400)],
      ['b/2', sized(1000), 25],
    ],
    [],
  ],
  [
    'its size may be any',
    { sizeBand: null },
    [
      ['b/1', sized(100)],
      ['b/2', sized(1000), 25],
    ],
    [],
  ],
  [
    'one is being written',
    {},
    [
      ['b/0', sized(10), 0.001],
      ['b/1', sized(1000), 1],
      ['b/2', sized(1000), 25],
    ],
    [],
  ],
  ['a table is called .gpg', {}, [['b/1.csv.gpg', CSV]], ['critical backup-not-encrypted b/1.csv.gpg']],
  [
    'an old one is not encrypted',
    { sizeBand: null },
    [
      ['b/1.gpg', GPG],
      ['b/0.csv', CSV, 90],
    ],
    ['critical backup-not-encrypted b/0.csv'],
  ],
  ['it need not be encrypted', { encrypted: false }, [['b/1.csv', CSV]], []],
  [
    'its cipher is weak',
    {},
    [['b/1.gpg', Buffer.from([0xc3, 4, 4, 3, 0, 2, 0xd2, 100, 1])]],
    ['warning weak-backup-cipher b/1.gpg'],
  ],
  [
    'its format is not known',
    {},
    [['b/1.bin', Buffer.from([1, 2, 3, 0, 255, 254])]],
    [],
    [`b/1.bin: ${FORMAT}`],
  ],
  ['everybody can read it', {}, [['b/1.gpg', GPG, 1, 0o644]], ['critical backup-open b/1.gpg']],
  ['its group can read it', {}, [['b/1.gpg', GPG, 1, 0o640]], ['warning backup-open b/1.gpg']],
  ['its group may read it', { mode: '0640' }, [['b/1.gpg', GPG, 1, 0o640]], []],
  [
    'its list has all of it',
    { holds: ['wal/', 'index.json'], files: undefined },
    [
      ['b/1.gpg', GPG],
      ['b/1.gpg.list', './x/wal/1\n./snapshots/index.json\n'],
    ],
    [],
  ],
  [
    'its list lacks a part',
    { holds: ['wal/', 'snapshots/'] },
    [
      ['b/1.gpg', GPG],
      ['b/1.gpg.list', './x/wal/1\n'],
    ],
    ['critical backup-incomplete app'],
  ],
  ['it has no list', { holds: ['wal/'] }, [['b/1.gpg', GPG]], [], ['b/1.gpg: backup-incomplete']],
  [
    'a table lies there',
    {},
    [
      ['b/1.gpg', GPG],
      ['b/latest.csv', CSV],
    ],
    ['critical plaintext-left b/latest.csv'],
    [],
    { plaintext: { directories: ['PLACE/b'] } },
  ],
  [
    'a table has just been written',
    {},
    [
      ['b/1.gpg', GPG],
      ['b/latest.csv', CSV, 0.1],
    ],
    [],
    [],
    { plaintext: { directories: ['PLACE/b'] } },
  ],
  [
    'a packed dump lies deeper',
    {},
    [
      ['b/1.gpg', GPG],
      ['b/old/db.sql.gz', Bun.gzipSync(Buffer.from('x'))],
    ],
    ['critical plaintext-left b/old/db.sql.gz'],
    [],
    { plaintext: { directories: ['PLACE/b'] } },
  ],
  [
    'what lies there is encrypted whatever its name',
    {},
    [
      ['b/1.gpg', GPG],
      ['b/a.csv', GPG],
    ],
    [],
    [],
    { plaintext: { directories: ['PLACE/b'] } },
  ],
  [
    'there is no copy',
    { offsite: { files: 'PLACE/o/*' } },
    [['b/1.gpg', GPG]],
    ['critical offsite-missing app'],
  ],
  [
    'the copy is on the same disk',
    { offsite: { files: 'PLACE/o/*' } },
    [
      ['b/1.gpg', GPG],
      ['o/1.gpg', GPG],
    ],
    ['warning offsite-same-disk app'],
  ],
  [
    'the copy is old',
    { offsite: { files: 'PLACE/o/*' } },
    [
      ['b/1.gpg', GPG],
      ['o/0.gpg', GPG, 60],
    ],
    ['warning offsite-same-disk app', 'critical offsite-old app'],
  ],
  [
    'the copy is cut',
    { offsite: { files: 'PLACE/o/*' } },
    [
      ['b/1.gpg', sized(100)],
      ['o/1.gpg', GPG],
    ],
    ['warning offsite-same-disk app', 'critical offsite-differs app'],
  ],
  [
    'a restore was tested',
    { restoreTest: { file: 'PLACE/restored' } },
    [
      ['b/1.gpg', GPG],
      ['restored', '', 24],
    ],
    [],
  ],
  [
    'a restore was tested long ago',
    { restoreTest: { file: 'PLACE/restored' } },
    [
      ['b/1.gpg', GPG],
      ['restored', '', 24 * 40],
    ],
    ['warning restore-not-tested app'],
  ],
  [
    'no restore was ever tested',
    { restoreTest: { file: 'PLACE/restored' } },
    [['b/1.gpg', GPG]],
    ['warning restore-not-tested app'],
  ],
]
for (const [name, backup, files, findings, blind = [], more = {}] of cases) {
  test(`check says ${[...findings, ...blind].join(', ') || 'nothing'} when ${name}`, async () => {
    using place = new Place()
    for (const file of files) place.put(...file)
    const here = (config: object): Record<string, unknown> =>
      JSON.parse(JSON.stringify(config).replaceAll('PLACE', place.path))
    const pattern = files.some(([path]) => path.endsWith('.list')) ? { files: `${place.path}/b/*.gpg` } : {}
    const wanted = more.plaintext ? { files: `${place.path}/b/*.gpg` } : pattern
    const { files: _, ...rest } = here(backup)
    expect(await place.verdicts({ ...rest, ...wanted }, here(more))).toEqual({ findings, blind })
  })
}

function archive(place: Place, name: string, names: string[], ...words: string[]): string {
  for (const file of names) place.put(`src/${file}`, 'secret-content-of-a-file')
  const path = place.put(name, '')
  const { exitCode } = Bun.spawnSync(['tar', '-C', `${place.path}/src`, ...words, '-cf', path, '.'])
  if (exitCode !== 0) throw new Error('tar failed')
  const seconds = NOW.getTime() / 1000 - 3600
  utimesSync(path, seconds, seconds)
  return path
}

test('check finds secrets in an archive that is not encrypted, and what it lacks; a second look unpacks nothing', async () => {
  using place = new Place()
  archive(
    place,
    'b/1.tar.gz',
    ['app/.env', 'app/wal/1', 'app/data/secrets/master.key', 'app/.env.example'],
    '-z',
  )
  const backup = { encrypted: false, holds: ['wal/', 'snapshots/'] }
  const first = await place.check(backup)
  expect(first.findings.map(({ rule, evidence }) => [rule, evidence?.count ?? evidence?.missing])).toEqual([
    ['secret-in-backup', 2],
    ['backup-incomplete', 'snapshots/'],
  ])
  expect(JSON.stringify(first)).not.toContain('secret-content')
  const path = `${place.path}/b/1.tar.gz`
  const { size, mtimeMs } = statSync(path)
  // Nobody can tell by size and time that it is rubbish now: what is remembered is said again.
  writeFileSync(path, Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(size - 2)]))
  utimesSync(path, mtimeMs / 1000, mtimeMs / 1000)
  expect((await place.check(backup, {}, first.memory)).findings).toEqual(first.findings)
  const forgotten = await place.check(backup)
  expect([forgotten.findings, forgotten.blind?.length]).toEqual([[], 1])
})

test('check is blind about an archive that is larger than what may be unpacked, or damaged', async () => {
  using place = new Place()
  archive(place, 'b/1.tar', ['a'])
  expect((await place.check({ encrypted: false }, { maxListed: 1000 })).blind).toMatchObject([
    { rules: ['secret-in-backup'] },
  ])
  place.put('b/1.tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar'), Buffer.alloc(1000)]))
  expect((await place.check({ encrypted: false })).blind?.length).toBe(1)
})

const OTHER_DISK = '/dev/shm'
const hasOther = existsSync(OTHER_DISK) && statSync(OTHER_DISK).dev !== statSync('/tmp').dev
testWith({ reason: hasOther ? undefined : 'there is no second file system' })(
  'check compares the content of a copy on another file system, once',
  async () => {
    using place = new Place()
    const other = mkdtempSync(`${OTHER_DISK}/reeve-test-`)
    try {
      place.put('b/1.gpg', sized(5000))
      const copy = `${other}/1.gpg`
      writeFileSync(copy, sized(5000))
      const seconds = NOW.getTime() / 1000 - 1800
      utimesSync(copy, seconds, seconds)
      const offsite = { files: `${other}/*`, compare: 'content' }
      const good = await place.check({ offsite })
      expect([good.findings, good.blind]).toEqual([[], []])
      const changed = sized(5000)
      changed[4999] = 1
      writeFileSync(copy, changed)
      utimesSync(copy, seconds + 1, seconds + 1)
      expect((await place.check({ offsite }, {}, good.memory)).findings).toMatchObject([
        { rule: 'offsite-differs', severity: 'critical' },
      ])
      const { findings } = await place.check({ offsite: { ...offsite, compare: 'size' } })
      expect(findings).toEqual([])
    } finally {
      rmSync(other, { recursive: true })
    }
  },
)

testWith({ reason: isRoot ? undefined : 'needs root' })(
  'an ordinary user is blind about what he cannot read',
  async () => {
    using place = new Place()
    place.put('b/1.gpg', GPG)
    chmodSync(place.path, 0o755)
    chmodSync(`${place.path}/b`, 0o755)
    const run = pluginUnderTest(
      plugin,
      { backups: [{ name: 'app', files: `${place.path}/b/*` }] },
      { stateDir: place.state, now: NOW },
    )
    const one = await asOrdinaryUser(() => run.check())
    expect([one.findings, one.blind?.map(({ rules }) => rules?.join(' '))]).toEqual([[], [FORMAT]])
    chmodSync(`${place.path}/b`, 0o700)
    const none = await asOrdinaryUser(() => run.check())
    expect([none.findings, none.blind?.length]).toEqual([[], 1])
  },
)

testWith({ programs: ['gpg'] })(
  'the remedy for a plain backup, carried out, makes its finding go away',
  async () => {
    using place = new Place()
    const path = place.put('b/1.csv', CSV)
    const home = `${place.path}/gnupg`
    mkdirSync(home, { mode: 0o700 })
    const gpg = ['gpg', '--homedir', home, '--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
    Bun.spawnSync([...gpg, '--quick-generate-key', 'a@example.org', 'future-default', 'default', 'never'])
    const { findings } = await place.check()
    const [command = ''] = (findings[0]?.remedy ?? '').split('\n')
    Bun.spawnSync(
      ['sh', '-c', command.replace('--recipient KEY', '--trust-model always --recipient a@example.org')],
      { env: { ...process.env, GNUPGHOME: home } },
    )
    Bun.spawnSync(['gpgconf', '--homedir', home, '--kill', 'all'])
    const after = await place.check({ maxAge: '9999d' })
    expect(existsSync(path)).toBe(false)
    expect(after.findings.map(({ rule }) => rule)).toEqual([])
  },
)

test.each([
  ['wal/', './x/wal/0001.wal', true],
  ['wal/', 'wal/', true],
  ['wal/', 'x/wall/1', false],
  ['index.json', 'snapshots/index.json', true],
  ['index.json', 'snapshots/index.json.bak', false],
  ['snapshots/', '/var/lib/snapshots/a', true],
])('isPart(%s, %s) is %p', (part, name, expected) => expect(isPart(part, name)).toBe(expected))
