import { expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { bytesOf } from '../../../../plugins/log-rotation/program/bytes.ts'
import { testWith } from '../../../kit/needs.ts'
import { workspace } from './fixture.ts'

test('-v tells what is done in the words of logrotate', async () => {
  using work = workspace('# all\n@/a.log {\ndaily\nrotate 2\ncompress\ncreate 0600\n}\n')
  work.write('state', 'logrotate state -- version 2\n"/gone" 2020-1-1-0:0:0\n', 0o640)
  expect(await work.run('-vf')).toBe(0)
  const now = /Now: (\S+ \S+)/
  const said = work.said()
  const day = (now.exec(said)?.[1] ?? '').slice(0, 10).replaceAll('-', '')
  expect(said.replace(/(Now:|Last rotated at) \S+ \S+/g, '$1 …')).toBe(`reading config file @/conf
acquired lock on state file @/state
Reading state from file: @/state
Allocating hash table for state file, size 64 entries
Creating new state

Handling 1 logs

rotating pattern: @/a.log forced from command line empty log files are rotated, (2 rotations), old logs are removed
considering log @/a.log
Creating new state
  Now: …
  Last rotated at …
  log needs rotating
rotating log @/a.log, log->rotateCount is 2
dateext suffix '-${day}'
glob pattern '-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'
renaming @/a.log.2.gz to @/a.log.3.gz (rotatecount 2, logstart 1, i 2), 
old log @/a.log.2.gz does not exist
renaming @/a.log.1.gz to @/a.log.2.gz (rotatecount 2, logstart 1, i 1), 
old log @/a.log.1.gz does not exist
log @/a.log.3.gz doesn't exist -- won't try to dispose of it
renaming @/a.log to @/a.log.1
creating new @/a.log mode = 0600 uid = ${process.getuid?.()} gid = ${process.getgid?.()}
compressing log with: /bin/gzip
Removing /gone from state file, because it does not exist and has not been rotated for one year
`)
})

test('names that are no UTF-8 are rotated, compressed, remembered and handed to scripts as they are', async () => {
  using work = workspace(
    '@/*.log {\nrotate 1\ncompress\ncompresscmd /bin/cat\ncompressext .c\npostrotate\nprintf %s "$1" >> @/told\nendscript\n}\n',
    null,
  )
  const name = Buffer.concat([Buffer.from(`${work.path}/x`), Buffer.from([0xe9, 0xff]), Buffer.from('.log')])
  writeFileSync(name, 'line\n')
  expect(await work.run('-f')).toBe(0)
  const found = readdirSync(work.path, { encoding: 'buffer' }).map((bytes) => bytes.toString('latin1'))
  expect(found).toContain('x\xe9\xff.log.1.c')
  expect(await Bun.file(work.at('told')).bytes()).toEqual(new Uint8Array(name))
  expect(Buffer.from(await Bun.file(work.at('state')).bytes()).includes(name)).toBe(true)
  expect(bytesOf(work.at('state')).length).toBeGreaterThan(0)
})

test('a named pipe holds up nothing, be it a log, an old log or a configuration', async () => {
  using work = workspace('@/*.log {\nrotate 1\ncopytruncate\n}\n')
  for (const name of ['p.log', 'conf.d']) Bun.spawnSync(['mkfifo', work.at(name)])
  expect(await work.run('-f')).toBe(1)
  expect(work.said()).toContain('error: error opening @/p.log: Operation not supported')
  expect(work.read('a.log.1')).toBe('line\n')
  work.configure('include @/conf.d\n')
  expect(await work.run('-v')).toBe(0)
  expect(work.said()).toContain("Ignoring @/conf.d because it's not a regular file.")
})

test('a configuration comes through a pipe, too', () => {
  using work = workspace('')
  const main = join(import.meta.dir, '../../../../agent/main.ts')
  work.configure('@/a.log {\nrotate 1\n}\n')
  const piped = 'cat "$3" | "$0" "$1" logrotate -f -s "$2" /dev/stdin'
  const run = Bun.spawnSync(['sh', '-c', piped, process.execPath, main, work.at('state'), work.at('conf')])
  expect([run.exitCode, String(run.stderr), work.read('a.log.1')]).toEqual([0, '', 'line\n'])
})

test('the exit code is 1 when a configuration is skipped or missing, and the others count', async () => {
  using work = workspace('include @/conf.d\n@/a.log {\nrotate 1\n}\n')
  mkdirSync(work.at('conf.d'))
  work.write('conf.d/bad', '@/x {\n}\n'.replaceAll('@', work.path))
  work.write('conf.d/good', 'rotate 7\n')
  chmodSync(work.at('conf.d/bad'), 0o666)
  const isRoot = process.getuid?.() === 0
  expect(await work.run('-f')).toBe(isRoot ? 1 : 0)
  if (isRoot)
    expect(work.said()).toContain(
      'error: Ignoring bad because it is writable by group or others.\nerror: found error in file bad, skipping\n',
    )
  expect(work.has('a.log.1')).toBe(true)
  work.configure('include @/none\n@/a.log {\nrotate 1\nmissingok\n}\n')
  expect(await work.run('-f')).toBe(1)
  expect(work.said()).toBe('error: cannot stat @/none: No such file or directory\n')
})

test('the state goes into a regular file only, and a bad line of it stops nothing', async () => {
  using work = workspace('@/a.log {\ndaily\nrotate 1\n}\n')
  work.write('state', 'logrotate state -- version 2\n"/x" 2020-1-1\n"/y" 2020-13-1\n"/z" 2020-1-1\n', 0o600)
  expect(await work.run('-f')).toBe(1)
  expect(work.said()).toBe('error: bad month 13 for file /y in state file @/state\n')
  expect(work.has('a.log.1')).toBe(true)
  symlinkSync('/dev/zero', work.at('zero'))
  work.write('a.log', 'next\n')
  expect(await work.run('-f', '-s', work.at('zero'))).toBe(1)
  expect(lstatSync(work.at('zero')).isSymbolicLink()).toBe(true)
  expect(statSync(work.at('state')).mode & 0o777).toBe(0o600)
})

test('-l takes every message into a file, and an unknown place is told', async () => {
  using work = workspace('@/a.log {\nrotate 1\n}\n')
  expect(await work.run('-f', '-l', work.at('out'))).toBe(0)
  expect(work.said()).toBe('')
  expect(work.read('out')).toContain(`rotating log ${work.at('a.log')}, log->rotateCount is 1\n`)
  expect(await work.run('-f', '-l', work.at('none/out'))).toBe(1)
  expect(work.said()).toContain('error: error opening log file @/none/out: No such file or directory\n')
})

testWith({ programs: ['setfacl', 'getfacl'] })(
  'access lists go along with a log, unless create has a mode',
  async () => {
    using work = workspace(
      '@/a.log {\nrotate 2\ncompress\ncreate\n}\n@/b.log {\nrotate 1\ncopytruncate\n}\n@/c.log {\nrotate 1\ncreate 0640\n}\n',
    )
    for (const name of ['b.log', 'c.log']) work.write(name, 'line\n', 0o640)
    const list = (name: string) => String(Bun.spawnSync(['getfacl', '-cp', work.at(name)]).stdout)
    const set = Bun.spawnSync([
      'setfacl',
      '-m',
      'u:65534:rw',
      work.at('a.log'),
      work.at('b.log'),
      work.at('c.log'),
    ])
    if (set.exitCode !== 0) throw new Error(`This file system has no access lists: ${set.stderr}`)
    const before = list('a.log')
    expect(await work.run('-f')).toBe(0)
    expect([list('a.log'), list('a.log.1.gz'), list('b.log.1')]).toEqual([before, before, before])
    expect(list('c.log')).not.toMatch(/user:\w/)
  },
)

testWith({ programs: ['shred', 'strace'] })('shred gets the file as its output, and its cycles', () => {
  using work = workspace('@/a.log {\nrotate 1\nshred\nshredcycles 4\n}\n')
  work.write('a.log.1', 'secret\n')
  const main = join(import.meta.dir, '../../../../agent/main.ts')
  const traced = ['strace', '-f', '-qq', '-e', 'trace=execve', '-o', work.at('trace')]
  const run = Bun.spawnSync([
    ...traced,
    process.execPath,
    main,
    'logrotate',
    '-f',
    '-s',
    work.at('state'),
    work.at('conf'),
  ])
  expect([run.exitCode, String(run.stderr)]).toEqual([0, ''])
  expect(work.read('trace')).toMatch(/execve\("[^"]*shred", \["shred", "-u", "-n", "4", "-"\]/)
  expect(work.has('a.log.2')).toBe(false)
})

test('mail is streamed: what is uncompressed never is in memory as a whole', async () => {
  using work = workspace('@/a.log {\nrotate 0\ncompress\nmail root\nuncompresscmd @/long\n}\n')
  const bytes = 300 * 1_048_576
  work.write('long', `#!/bin/sh\nhead -c ${bytes} /dev/zero\n`, 0o755)
  work.write('mailer', `#!/bin/sh\nwc -c > ${work.at('count')}\n`, 0o755)
  const before = process.memoryUsage.rss()
  expect(await work.run('-f', '-m', work.at('mailer'))).toBe(0)
  expect(Number(work.read('count'))).toBe(bytes)
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1_048_576)
})

test('a mailer or an uncompressor that fails keeps the log that was to go', async () => {
  using work = workspace('@/a.log {\nrotate 1\nmail root\n}\n')
  work.write('a.log.1', 'old\n')
  expect(await work.run('-f', '-m', '/bin/false')).toBe(1)
  expect(work.said()).toBe('error: mail command failed for @/a.log.2\n')
  expect(work.read('a.log.2')).toBe('old\n')
  work.configure('@/a.log {\nrotate 1\nmail root\ncompress\nuncompresscmd /bin/false\nmissingok\n}\n')
  writeFileSync(work.at('a.log.1.gz'), Bun.gzipSync(Buffer.from('x')))
  work.write('a.log', 'next\n')
  expect(await work.run('-f', '-m', '/bin/true')).toBe(1)
  expect(work.said()).toBe('error: uncompress command failed mailing @/a.log.2.gz\n')
  expect(work.has('a.log.2.gz')).toBe(true)
})

test('an archive is as old as its log, to the nanosecond', async () => {
  using work = workspace('@/a.log {\nrotate 1\ncompress\n}\n')
  utimesSync(work.at('a.log'), 1_700_000_000.5, 1_700_000_001.123456)
  const before = statSync(work.at('a.log'), { bigint: true })
  expect(await work.run('-f')).toBe(0)
  expect(statSync(work.at('a.log.1.gz'), { bigint: true }).mtimeNs).toBe(before.mtimeNs)
})

testWith({ root: true })(
  'numbers of accounts are those of accounts that there are; two words are owner and group',
  async () => {
    using work = workspace('@/a.log {\nrotate 1\ncreate 65534 "adm"\n}\n')
    expect(await work.run('-f')).toBe(0)
    expect(statSync(work.at('a.log'))).toMatchObject({ uid: 65_534, gid: 4 })
    expect(statSync(work.at('a.log')).mode & 0o777).toBe(0o640)
    work.configure('@/a.log {\ncreate 0640 root\n}\n@/b.log {\ncreate 4000000 root\n}\n')
    expect(await work.run('-f')).toBe(1)
    expect(work.said()).toContain("error: @/conf:2 unknown user '0640'\n")
  },
)

testWith({ root: true })(
  'createolddir makes all that is missing with its mode, 0755 unless said',
  async () => {
    using work = workspace(
      '@/a.log {\nrotate 1\nolddir x/y\ncreateolddir\n}\n@/b.log {\nrotate 1\nolddir @/z\ncreateolddir 0700 65534 adm\n}\n',
    )
    work.write('b.log', 'b\n')
    process.umask(0o027)
    expect(await work.run('-f')).toBe(0)
    process.umask(0o022)
    const of = (name: string) => [
      statSync(work.at(name)).mode & 0o7777,
      statSync(work.at(name)).uid,
      statSync(work.at(name)).gid,
    ]
    expect([of('x'), of('x/y'), of('z')]).toEqual([
      [0o755, 0, 0],
      [0o755, 0, 0],
      [0o700, 65_534, 4],
    ])
    expect(work.read('z/b.log.1')).toBe('b\n')
  },
)

testWith({ root: true })('a link that root made on the way to a log is followed', async () => {
  using work = workspace('@/linked/a.log {\nrotate 1\ncreate\n}\n')
  mkdirSync(work.at('real'))
  symlinkSync('real', work.at('linked'))
  work.write('real/a.log', 'line\n')
  chmodSync(work.path, 0o1777)
  expect(await work.run('-f')).toBe(0)
  expect(work.read('real/a.log.1')).toBe('line\n')
  // One of somebody else is, as long as it leads to that one's own.
  mkdirSync(work.at('home'))
  chownSync(work.at('home'), 65_534, 65_534)
  mkdirSync(work.at('home/own'))
  symlinkSync('own', work.at('home/logs'))
  work.write('home/own/a.log', 'own\n')
  work.configure('@/home/logs/a.log {\nrotate 1\n}\n')
  expect(await work.run('-f')).toBe(1)
  expect(work.said()).toContain('leads to a directory that is not that user')
  chownSync(work.at('home/own'), 65_534, 65_534)
  expect(await work.run('-f')).toBe(0)
  expect(work.read('home/own/a.log.1')).toBe('own\n')
})

test.each(['XYZ-3:30', 'CET-1CEST,M3.5.0,M10.5.0/3', 'America/St_Johns', 'UTC'])(
  'dates are those of the time zone %s, whatever form it is said in',
  (zone) => {
    using work = workspace('@/a.log {\nrotate 1\ndateext\ndateformat -%Y%m%d-%H%z\n}\n')
    const main = join(import.meta.dir, '../../../../agent/main.ts')
    const env = { ...process.env, TZ: zone }
    const date = () => String(Bun.spawnSync(['date', '+-%Y%m%d-%H%z'], { env }).stdout).trim()
    const possible = [date()]
    const args = [process.execPath, main, 'logrotate', '-f', '-s', work.at('state'), work.at('conf')]
    expect(String(Bun.spawnSync(args, { env }).stderr)).toBe('')
    possible.push(date())
    const found = readdirSync(work.path).filter((name) => name.startsWith('a.log-'))
    expect(found).toHaveLength(1)
    expect(possible).toContain(found[0]?.slice('a.log'.length) ?? '')
  },
)

test('a script may exchange the directory that its logs are in', async () => {
  using work = workspace(
    '@/logs/a.log {\nrotate 1\nprerotate\nmv @/logs @/before\nmkdir @/logs\necho new > @/logs/a.log\nendscript\n}\n',
  )
  mkdirSync(work.at('logs'))
  work.write('logs/a.log', 'old\n')
  expect([await work.run('-f'), work.said()]).toEqual([0, ''])
  expect([work.read('logs/a.log.1'), work.read('before/a.log')]).toEqual(['new\n', 'old\n'])
})

test('logs in more directories than are held at a time are all rotated, with few descriptors', () => {
  using work = workspace(
    '@/*/a.log {\nrotate 1\nsharedscripts\ncompress\ncreate\npostrotate\n:\nendscript\n}\n',
    null,
  )
  const directories = Array.from({ length: 90 }, (_, index) => String(index))
  for (const name of directories) {
    mkdirSync(work.at(name))
    work.write(`${name}/a.log`, `${name}\n`)
  }
  const main = join(import.meta.dir, '../../../../agent/main.ts')
  const limited = 'ulimit -n 80; exec "$0" "$1" logrotate -f -s "$2" "$3"'
  const run = Bun.spawnSync(['sh', '-c', limited, process.execPath, main, work.at('state'), work.at('conf')])
  expect([run.exitCode, String(run.stderr)]).toEqual([0, ''])
  expect(directories.filter((name) => !work.has(`${name}/a.log.1.gz`))).toEqual([])
})
