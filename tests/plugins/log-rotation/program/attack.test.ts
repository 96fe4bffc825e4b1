import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../../../kit/needs.ts'
import { EXCHANGER, PLANTER } from './attackers.ts'
import { snapshot, workspace } from './fixture.ts'

// One test for each class of attack that was published against logrotate. ROTATIONS=2000 is the long form.

const NOBODY = 65_534
const MIN_ATTACK_MS = 6000
const ROTATIONS = Number(process.env.ROTATIONS ?? 200)
setDefaultTimeout(120_000)

const asRoot = testWith({ root: true })
const againstOthers = testWith({ root: true, programs: ['setpriv', 'perl'] })

/** Has the user nobody do something else while something goes on; returns what that user counted. */
async function under(attacker: string, args: string[], act: () => Promise<void>): Promise<number> {
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
  const running = Bun.spawn(['setpriv', ...ids, 'perl', '-e', attacker, ...args], {
    cwd: '/',
    stdout: 'pipe',
  })
  const reader = running.stdout.getReader()
  const decoder = new TextDecoder()
  let said = decoder.decode((await reader.read()).value)
  expect(said).toBe('ready\n')
  try {
    await act()
  } finally {
    running.kill('SIGTERM')
  }
  for (let next = await reader.read(); !next.done; next = await reader.read())
    said += decoder.decode(next.value)
  return Number(said.trim().split('\n').at(-1))
}

const modes = [
  'create',
  'create 0666',
  'copytruncate',
  'compress\ncreate',
  'compress\ncopytruncate',
  'olddir old\ncreateolddir\ncreate',
  'shred\nrotate 0',
  'renamecopy',
  'dateext\ndateformat -%s\nrotate 1',
]

// "logrotten", and CVE-2016-1247 where the directory above the logs is the attacker's.
asRoot(
  'an exchanged directory on the way to a log leads nowhere else, in thousands of exchanges',
  async () => {
    using work = workspace('', null)
    chmodSync(work.path, 0o755)
    mkdirSync(work.at('site'))
    mkdirSync(work.at('site/logs'))
    mkdirSync(work.at('protected'))
    mkdirSync(work.at('protected/old'))
    for (const name of ['app.log', 'app.log.1', 'app.log.2.gz', 'secret'])
      work.write(`protected/${name}`, `${name}\n`, 0o600)
    for (const name of ['site', 'site/logs']) chownSync(work.at(name), NOBODY, NOBODY)
    const before = snapshot(work.at('protected'))
    let rotated = 0
    // How often the name did lead to what is protected.
    let misled = 0
    let refused = ''
    const exchanges = await under(EXCHANGER, [work.at('site/logs'), work.at('protected')], async () => {
      // On a busy machine the attacker gets less done meanwhile.
      const untilMs = performance.now() + MIN_ATTACK_MS
      for (let round = 0; round < ROTATIONS || performance.now() < untilMs; round++) {
        work.configure(`@/site/logs/app.log {\nmissingok\nrotate 2\n${modes[round % modes.length]}\n}\n`)
        try {
          writeFileSync(work.at('site/logs.aside/app.log'), 'line\n')
        } catch {
          // It is not away just now.
        }
        for (let look = 0; look < 50; look++) if (work.has('site/logs/secret')) misled++
        if ((await work.run('-f')) === 0) rotated++
        refused += work.said()
      }
    })
    expect(exchanges).toBeGreaterThan(ROTATIONS * 5)
    expect(snapshot(work.at('protected'))).toEqual(before)
    expect(refused).toContain('a symbolic link of the user 65534 leads to a directory that is not that user')
    expect(misled).toBeGreaterThan(0)
    expect(rotated).toBeGreaterThan(0)
  },
)

// CVE-2016-1247, and 2011-1548: links in the place of a log and of old ones, in a directory of the attacker's own.
againstOthers('links in the place of logs are never followed, created through or emptied', async () => {
  using work = workspace('', null)
  chmodSync(work.path, 0o755)
  mkdirSync(work.at('logs'))
  chownSync(work.at('logs'), NOBODY, NOBODY)
  work.write('protected', 'root only\n', 0o600)
  work.write('logs/app.log.kept', 'line\n')
  chownSync(work.at('logs/app.log.kept'), NOBODY, NOBODY)
  const planted = await under(PLANTER, [work.at('logs/app.log'), work.at('protected')], async () => {
    for (let round = 0; round < ROTATIONS / 3; round++) {
      work.configure(
        `@/logs/app.log {\nmissingok\nallowhardlink\nrotate 3\n${modes[round % modes.length]}\n}\n`,
      )
      await work.run('-f')
      work.said()
    }
  })
  expect(planted).toBeGreaterThan(ROTATIONS / 3)
  expect(work.read('protected')).toBe('root only\n')
  expect(statSync(work.at('protected'))).toMatchObject({ uid: 0, gid: 0, nlink: 1 })
  expect(statSync(work.at('protected')).mode & 0o777).toBe(0o600)
})

// CVE-2011-1098: a new file that is open to more than the log was, for a moment.
testWith({ root: true, programs: ['strace'] })(
  'a new file is made for its owner only, under a name that was free, and opened up at the end',
  () => {
    using work = workspace(
      '@/*.log {\nrotate 2\ncompress\ncreate 0644\n}\n@/b.txt {\nrotate 1\ncopytruncate\n}\n',
    )
    work.write('b.txt', 'b\n', 0o600)
    const main = join(import.meta.dir, '../../../../agent/main.ts')
    const run = Bun.spawnSync(
      [
        'strace',
        '-f',
        '-qq',
        '-e',
        'trace=openat,creat,open',
        '-o',
        work.at('trace'),
        process.execPath,
        main,
        'logrotate',
        '-f',
        '-s',
        work.at('state'),
        work.at('conf'),
      ],
      { env: { ...process.env, LANG: 'C' } },
    )
    expect(String(run.stderr)).toBe('')
    const made = work
      .read('trace')
      .split('\n')
      .filter((line) => line.includes('O_CREAT') && /\.log|\.txt/.test(line))
    expect(made.length).toBeGreaterThanOrEqual(3)
    for (const line of made) {
      expect(line).toContain('O_EXCL')
      expect(line).toContain('O_NOFOLLOW')
      expect(Number.parseInt(/, (0[0-7]+)\)/.exec(line)?.[1] ?? '777', 8) & 0o177).toBe(0)
    }
    expect(statSync(work.at('a.log')).mode & 0o777).toBe(0o644)
    expect(statSync(work.at('b.txt.1')).mode & 0o777).toBe(0o600)
  },
)

// CVE-2011-1154: names as commands.
test('a name with the signs of a shell is a name to shred, mailers, compressors and scripts', async () => {
  const name = 'x; touch HIT; $(touch HIT) `touch HIT` \'" && -n &|.log'
  using work = workspace(
    '@/*.log {\nrotate 1\nshred\nmail root\ncompress\ncompresscmd @/compressor\ncompressext .c\nuncompresscmd /bin/cat\npostrotate\nprintf %s "$1" > @/told\nendscript\npreremove\nprintf %s "$1" >> @/removed\nendscript\n}\n',
    null,
  )
  work.write('compressor', '#!/bin/sh\ncat\n', 0o755)
  work.write('mailer', `#!/bin/sh\nprintf '%s\\n' "$@" > ${work.at('mailed')}\ncat > /dev/null\n`, 0o755)
  work.write(name, 'line\n')
  for (let run = 0; run < 2; run++) {
    expect(await work.run('-f', '-m', work.at('mailer'))).toBe(0)
    work.write(name, 'line\n')
  }
  expect(work.read('told')).toBe(work.at(name))
  expect(work.read('mailed').split('\n')).toEqual(['-s', `${work.at(name)}.2.c`, 'root', ''])
  expect(work.has('HIT') || (await Bun.file('HIT').exists())).toBe(false)
})

// CVE-2011-1155: names that break the state file, so that nothing is rotated any more.
test('a name with line ends, quotes and backslashes is kept in the state and found again', async () => {
  const names = ['a\n"b" 2020-1-1.log', 'c\\n.log', 'd"e\\"f.log', 'g \n\n h.log']
  using work = workspace('@/*.log {\ndaily\nrotate 3\n}\n', null)
  for (const name of names) work.write(name, 'line\n')
  expect(await work.run('-f')).toBe(0)
  for (const name of names) work.write(name, 'line\n')
  expect(await work.run('-v')).toBe(0)
  expect(work.said().match(/log has already been rotated/g)).toHaveLength(names.length)
  for (const name of names) expect(work.has(`${name}.2`)).toBe(false)
})

// CVE-2011-1548 to 1550: work as root in directories of others.
asRoot('a log that is a link, has other names or lies where others can write is left alone', async () => {
  using work = workspace(
    '@/safe/*.log {\nrotate 1\ncopytruncate\n}\n@/open/*.log {\nrotate 1\ncreate\n}\n@/group/*.log {\nrotate 1\n}\n',
    null,
  )
  for (const directory of ['safe', 'open', 'group']) mkdirSync(work.at(directory))
  chmodSync(work.at('open'), 0o1777)
  chmodSync(work.at('group'), 0o775)
  chownSync(work.at('group'), 0, NOBODY)
  work.write('secret', 'secret\n', 0o600)
  symlinkSync(work.at('secret'), work.at('safe/link.log'))
  linkSync(work.at('secret'), work.at('safe/hard.log'))
  work.write('open/a.log', 'a\n')
  work.write('group/a.log', 'a\n')
  const before = snapshot(work.path)
  expect(await work.run('-vf')).toBe(1)
  const said = work.said()
  rmSync(work.at('state'))
  expect(snapshot(work.path)).toEqual(before)
  expect(said.match(/insecure permissions/g)).toHaveLength(2)
  expect(said).toContain('is symbolic link')
  expect(said).toContain('multiple (2) hard links')
})

// CVE-2022-1348: whoever can open the state file can hold its lock.
test('the state is for its owner and group, and a lock that others could hold is no lock', async () => {
  using work = workspace('@/a.log {\nrotate 1\n}\n')
  expect(await work.run('-f')).toBe(0)
  expect(statSync(work.at('state')).mode & 0o777).toBe(0o640)
  chmodSync(work.at('state'), 0o644)
  const holder = Bun.spawn(['flock', work.at('state'), 'sh', '-c', 'echo held; read x'], {
    stdin: 'pipe',
    stdout: 'pipe',
  })
  await holder.stdout.getReader().read()
  work.write('a.log', 'next\n')
  expect(await work.run('-f')).toBe(0)
  holder.stdin.end()
  await holder.exited
  expect(work.said()).toContain('warning: state file @/state is world-readable')
  expect(statSync(work.at('state')).mode & 0o777).toBe(0o640)
  expect(work.read('a.log.1')).toBe('next\n')
})
