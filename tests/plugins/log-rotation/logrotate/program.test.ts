import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { takeLock } from '../../../../agent/host/lock.ts'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'
import { reeveBinary } from '../../../kit/binary.ts'
import { testWith } from '../../../kit/needs.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

// The binary may have to be built.
setDefaultTimeout(60_000)

function workspace(config: string, log = 'line\n') {
  const directory = temporaryDirectory('logrotate')
  const at = (name: string) => join(directory.path, name)
  writeFileSync(at('conf'), config.replaceAll('@', directory.path), { mode: 0o644 })
  writeFileSync(at('a.log'), log, { mode: 0o640 })
  let said = ''
  const run = (...options: string[]) =>
    logrotate([...options, '-s', at('state'), at('conf')], (text) => {
      said += text
    })
  return { at, run, said: () => said, [Symbol.dispose]: () => directory[Symbol.dispose]() }
}

test('logrotate() changes nothing with -d, not even the state', async () => {
  using work = workspace('@/a.log {\nrotate 1\npostrotate\ntouch @/ran\nendscript\n}\n')
  expect(await work.run('-df')).toBe(0)
  expect(readFileSync(work.at('a.log'), 'utf8')).toBe('line\n')
  expect([work.at('a.log.1'), work.at('state'), work.at('ran')].map(existsSync)).toEqual([
    false,
    false,
    false,
  ])
  expect(work.said()).toContain('log needs rotating')
})

test('logrotate() keeps every log, and the time of its last rotation, when prerotate fails', async () => {
  using work = workspace('@/a.log {\nrotate 1\nprerotate\nfalse\nendscript\n}\n')
  writeFileSync(work.at('a.log.1'), 'old\n')
  expect(await work.run('-f')).toBe(1)
  expect(readFileSync(work.at('a.log'), 'utf8')).toBe('line\n')
  expect(readFileSync(work.at('a.log.1'), 'utf8')).toBe('old\n')
  expect(readFileSync(work.at('state'), 'utf8')).toContain(':0:0\n')
})

test('logrotate() leaves no half archive and the whole log when the compressor fails', async () => {
  using work = workspace('@/a.log {\nrotate 2\ncompress\ncompresscmd /bin/false\n}\n')
  expect(await work.run('-f')).toBe(1)
  expect(readFileSync(work.at('a.log.1'), 'utf8')).toBe('line\n')
  expect(existsSync(work.at('a.log.1.gz'))).toBe(false)
  expect(existsSync(work.at('.a.log.1.gz.reeve-tmp'))).toBe(false)
})

test('logrotate() gives a log and its archive the same mode, and the archive the content', async () => {
  using work = workspace('@/a.log {\nrotate 2\ncompress\ncreate\n}\n')
  expect(await work.run('-f')).toBe(0)
  expect(String(gunzipSync(readFileSync(work.at('a.log.1.gz'))))).toBe('line\n')
  expect([work.at('a.log'), work.at('a.log.1.gz')].map((path) => statSync(path).mode & 0o777)).toEqual([
    0o640, 0o640,
  ])
})

test('logrotate() mails what it removes, uncompressed', async () => {
  using work = workspace('@/a.log {\nrotate 1\ncompress\nmail root\n}\n')
  writeFileSync(
    work.at('mailer'),
    `#!/bin/sh\necho "$@" > ${work.at('args')}\ncat > ${work.at('mailed')}\n`,
    { mode: 0o755 },
  )
  expect(await work.run('-f', '-m', work.at('mailer'))).toBe(0)
  expect(existsSync(work.at('mailed'))).toBe(false)
  writeFileSync(work.at('a.log'), 'next\n')
  expect(await work.run('-f', '-m', work.at('mailer'))).toBe(0)
  expect(readFileSync(work.at('mailed'), 'utf8')).toBe('line\n')
  expect(readFileSync(work.at('args'), 'utf8')).toBe(`-s ${work.at('a.log.2.gz')} root\n`)
})

test('logrotate() exits with 3 when another holds the state file, and goes on with --skip-state-lock', async () => {
  using work = workspace('@/a.log {\nrotate 1\n}\n')
  writeFileSync(work.at('state'), 'logrotate state -- version 2\n', { mode: 0o600 })
  const lock = takeLock(work.at('state'))
  expect(await work.run('-f')).toBe(3)
  expect(existsSync(work.at('a.log.1'))).toBe(false)
  expect(await work.run('-f', '--skip-state-lock')).toBe(0)
  expect(existsSync(work.at('a.log.1'))).toBe(true)
  lock?.release()
})

test('logrotate() reads an included directory without the taboo names', async () => {
  using work = workspace('include @/conf.d\n')
  mkdirSync(work.at('conf.d'))
  const block = (number: number) => `${work.at('a.log')} {\nrotate 1\nstart ${number}\n}\n`
  writeFileSync(work.at('conf.d/good'), block(7))
  writeFileSync(work.at('conf.d/bad.dpkg-old'), block(8))
  expect(await work.run('-f')).toBe(0)
  expect(existsSync(work.at('a.log.7'))).toBe(true)
  expect(existsSync(work.at('a.log.8'))).toBe(false)
})

testWith({ root: true })(
  'logrotate() acts on the files as the user of su, and runs scripts as its caller',
  async () => {
    using work = workspace(
      '@/logs/b.log {\nrotate 1\ncreate\nsu 65534 65534\npostrotate\nid -u > @/id\nendscript\n}\n',
    )
    mkdirSync(work.at('logs'))
    writeFileSync(work.at('logs/b.log'), 'b\n')
    Bun.spawnSync(['chown', '-R', '65534:65534', work.at('logs')])
    Bun.spawnSync(['chmod', '755', work.at('.')])
    expect(await work.run('-f')).toBe(0)
    expect(statSync(work.at('logs/b.log')).uid).toBe(65_534)
    expect(readFileSync(work.at('id'), 'utf8')).toBe('0\n')
    expect([process.geteuid?.(), process.getegid?.()]).toEqual([0, 0])
  },
)

testWith({ root: true })('logrotate() refuses a directory that others can write', async () => {
  using work = workspace('@/open/b.log {\nrotate 1\n}\n')
  mkdirSync(work.at('open'))
  Bun.spawnSync(['chmod', '777', work.at('open')])
  writeFileSync(work.at('open/b.log'), 'b\n')
  expect(await work.run('-f')).toBe(1)
  expect(existsSync(work.at('open/b.log.1'))).toBe(false)
  expect(work.said()).toContain('insecure permissions')
})

testWith({ programs: ['gzip'] })(
  'reeve logrotate compresses many logs on its threads, in the binary, too',
  () => {
    using work = workspace('@/*.log {\nrotate 2\ncompress\ncreate\n}\n')
    const names = Array.from({ length: 40 }, (_, index) => `${index}.log`)
    for (const name of names)
      writeFileSync(work.at(name), `${name} says a line\n`.repeat(10_000), { mode: 0o640 })
    const run = Bun.spawnSync([reeveBinary(), 'logrotate', '-f', '-s', work.at('state'), work.at('conf')])
    expect([run.exitCode, String(run.stderr)]).toEqual([0, ''])
    for (const name of names) {
      const { stdout } = Bun.spawnSync(['gzip', '-dc', work.at(`${name}.1.gz`)])
      expect(String(stdout) === `${name} says a line\n`.repeat(10_000)).toBe(true)
      expect([statSync(work.at(name)).size, existsSync(work.at(`${name}.1`))]).toEqual([0, false])
    }
  },
)

test('logrotate() runs lastaction when all archives of its set are there', async () => {
  using work = workspace(
    '@/*.log {\nrotate 2\ncompress\nsharedscripts\nlastaction\nls @ > @/seen\nendscript\n}\n',
  )
  for (const name of ['b.log', 'c.log']) writeFileSync(work.at(name), 'x'.repeat(400_000))
  expect(await work.run('-f')).toBe(0)
  const seen = readFileSync(work.at('seen'), 'utf8').split('\n')
  expect(seen.filter((name) => name.includes('.log'))).toEqual(['a.log.1.gz', 'b.log.1.gz', 'c.log.1.gz'])
})

test('reeve logrotate runs the program with its exit codes', () => {
  const reeve = (...args: string[]) =>
    Bun.spawnSync([
      process.execPath,
      join(import.meta.dir, '../../../../agent/main.ts'),
      'logrotate',
      ...args,
    ])
  const version = reeve('--version')
  expect([version.exitCode, String(version.stdout).split(' ')[0]]).toEqual([0, 'logrotate'])
  expect(reeve('-Z').exitCode).toBe(2)
  expect(reeve().exitCode).toBe(1)
})
