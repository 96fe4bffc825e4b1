import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import plugin from '../../../plugins/secret-scan/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { NOTHING } from './settings.ts'

setDefaultTimeout(60_000)
const SECRET = 'q0Zr81kdPlmN4vXs7aTb'
const GIBIBYTE = 2 ** 30

function host() {
  const work = temporaryDirectory()
  const srv = join(work.path, 'srv')
  mkdirSync(srv)
  const run = (config: Record<string, unknown>, signal?: AbortSignal) =>
    pluginUnderTest(
      plugin,
      { ...NOTHING, ...config },
      { stateDir: join(work.path, 'state'), ...(signal ? { signal } : {}) },
    )
  return {
    srv,
    run,
    write: (name: string, content: string | Uint8Array) => writeFileSync(join(srv, name), content),
    [Symbol.dispose]: work[Symbol.dispose],
  }
}

const lines = (report: { findings: { subject: string; evidence?: Record<string, unknown> | undefined }[] }) =>
  report.findings.map(({ evidence }) => evidence?.line)

test('named pipes, links in a loop, sockets and directories in the place of files stop nothing', async () => {
  using one = host()
  const { srv } = one
  Bun.spawnSync(['mkfifo', join(srv, 'pipe.yaml')])
  symlinkSync('loop.yaml', join(srv, 'loop.yaml'))
  symlinkSync('..', join(srv, 'up'))
  symlinkSync('/dev/zero', join(srv, 'zero.yaml'))
  mkdirSync(join(srv, 'directory.yaml'))
  one.write('a.yaml', `token: ${SECRET}\n`)
  const config = { files: [`${srv}/**`], logs: [`${srv}/**`], histories: [`${srv}/*`], units: [`${srv}/**`] }
  const report = await one.run(config).check()
  expect(report.blind).toEqual([])
  expect(report.findings.map(({ rule }) => rule)).toContain('secret-in-config')
  expect(report.facts?.[0]?.data).toMatchObject({
    specialLeftOut: expect.any(Number),
    linksLeftOut: expect.any(Number),
  })
  // Asked for by name it cannot be looked at.
  const named = await one.run({ files: [`${srv}/loop.yaml`] }).check()
  expect([named.findings, named.blind?.length]).toEqual([[], 1])
})

test('a link that is asked for by name is followed', async () => {
  using one = host()
  one.write('real.yaml', `token: ${SECRET}\n`)
  symlinkSync('real.yaml', join(one.srv, 'link.yaml'))
  const report = await one.run({ files: [`${one.srv}/link.yaml`] }).check()
  expect(report.findings.map(({ subject }) => subject)).toEqual([`${one.srv}/link.yaml:token`])
})

test('a sparse file of 10 GB is not read as a configuration, which is told, and only at its end as a log', async () => {
  using one = host()
  const path = join(one.srv, 'huge.log')
  const file = openSync(path, 'w')
  ftruncateSync(file, 10 * GIBIBYTE)
  writeSync(file, `\ntoken=${SECRET}\n`, 10 * GIBIBYTE)
  closeSync(file)
  const started = performance.now()
  const log = await one.run({ logs: [path], logBytes: '1M' }).check()
  expect(log.findings.map(({ rule, evidence }) => [rule, evidence?.line])).toEqual([['secret-in-log', null]])
  expect(log.facts?.[0]?.data.earlierBytesOfLogsLeftOut).toBeGreaterThan(9 * GIBIBYTE)
  const text = openSync(join(one.srv, 'huge.yaml'), 'w')
  writeSync(text, 'a: 1\n'.repeat(2000), 0)
  ftruncateSync(text, 10 * GIBIBYTE)
  closeSync(text)
  const config = await one.run({ files: [join(one.srv, 'huge.yaml')] }).check()
  expect(config.blind?.map(({ subject, rules }) => [subject, rules?.includes('secret-in-config')])).toEqual([
    [join(one.srv, 'huge.yaml'), true],
  ])
  expect(performance.now() - started).toBeLessThan(5000)
})

test('lines of megabytes are searched from their start to their end', async () => {
  using one = host()
  const filler = '"x":"aaaaaaaaaaaaaaaaaaaaaaaaaa",'.repeat(100_000)
  one.write(
    'one-line.json',
    `{"api_key":"${SECRET}1",${filler}"token":"${SECRET}2",${filler}"secret":"${SECRET}3"}`,
  )
  const report = await one.run({ files: [`${one.srv}/one-line.json`] }).check()
  expect(report.findings.map(({ evidence }) => [evidence?.key, evidence?.line]).toSorted()).toEqual([
    ['api_key', 1],
    ['secret', 1],
    ['token', 1],
  ])
})

test('secrets on both sides of every border between pieces are found, each once, on their lines', async () => {
  using one = host()
  const piece = 1024 * 1024
  const row = 'nothing to see in this line of text at all\n'
  let text = ''
  const expected: number[] = []
  for (let border = 1; border <= 3; border++) {
    for (const before of [70, 20, 0]) {
      const want = border * piece - before
      while (text.length + row.length < want) text += row
      text += '#'.repeat(Math.max(0, want - text.length - 1))
      text += '\n'
      expected.push(text.split('\n').length)
      text += `token${border}_${before}_password: ${SECRET}${border}${before}\n`
    }
  }
  one.write('big.yaml', text)
  const report = await one.run({ files: [`${one.srv}/big.yaml`] }).check()
  expect(lines(report)).toEqual(expected)
})

test('a name at the end of one piece and its value at the start of the next belong together', async () => {
  using one = host()
  const row = `${'x'.repeat(1023)}\n`
  const text = `${row.repeat(1023)}${'y'.repeat(1012)}\n  password:\n    value: ${SECRET}\n${row.repeat(2000)}`
  one.write('big.yaml', text)
  expect(lines(await one.run({ files: [`${one.srv}/big.yaml`] }).check())).toEqual([1026])
})

test('binary files are left out and counted; a log with holes of NUL is searched', async () => {
  using one = host()
  one.write('program', Buffer.concat([Buffer.from('\x7fELF\0\0'), Buffer.from(`password=${SECRET}\n`)]))
  const files = await one.run({ files: [`${one.srv}/**`] }).check()
  expect([files.findings, files.facts?.[0]?.data.binaryLeftOut, files.coverage?.skipped]).toEqual([[], 1, 1])
  one.write('app.log', Buffer.concat([Buffer.alloc(100_000), Buffer.from(`\npassword=${SECRET}\n`)]))
  const logs = await one.run({ logs: [`${one.srv}/app.log`] }).check()
  expect(lines(logs)).toEqual([2])
})

test('compressed logs are left out and counted', async () => {
  using one = host()
  one.write('app.log.1.gz', Bun.gzipSync(Buffer.from(`password=${SECRET}\n`)))
  one.write('app.log', 'fine\n')
  const report = await one.run({ logs: [`${one.srv}/*`] }).check()
  expect([report.facts?.[0]?.data.compressedLeftOut, report.coverage]).toEqual([
    1,
    { examined: 1, skipped: 1 },
  ])
})

test('what is over the budget of a run is blind, file by file', async () => {
  using one = host()
  for (const name of ['a', 'b', 'c']) one.write(`${name}.yaml`, 'x: 1\n'.repeat(1000))
  const report = await one.run({ files: [`${one.srv}/*`], maxBytes: '4k' }).check()
  expect(report.blind?.map(({ subject }) => subject)).toEqual([`${one.srv}/b.yaml`, `${one.srv}/c.yaml`])
})

testWith({ programs: ['setpriv'], root: true })('a file that may not be read is blind', async () => {
  using one = host()
  one.write('a.yaml', 'x: 1\n')
  chmodSync(join(one.srv, 'a.yaml'), 0)
  const state = join(dirname(one.srv), 'state')
  mkdirSync(state)
  chmodSync(state, 0o777)
  const script = `
    const { default: plugin } = await import('${join(import.meta.dir, '../../../plugins/secret-scan/plugin.ts')}')
    const { pluginUnderTest } = await import('${join(import.meta.dir, '../../kit/plugin.ts')}')
    const config = ${JSON.stringify({ ...NOTHING, files: [`${one.srv}/*`] })}
    // Loads all that it needs of the checkout, which others may not be able to read.
    await pluginUnderTest(plugin, config, { stateDir: '${state}-of-root' }).check()
    process.setgid(65534); process.setuid(65534)
    const report = await pluginUnderTest(plugin, config, { stateDir: '${state}' }).check()
    console.log(JSON.stringify(report.blind))`
  chmodSync(join(one.srv, '..'), 0o755)
  chmodSync(one.srv, 0o755)
  const child = Bun.spawnSync([process.execPath, '-e', script], { cwd: '/' })
  expect(child.stdout.toString() + child.stderr.toString()).toContain('permission denied')
})

test('a file that nobody touched is not read again, one that was is, and findings stay', async () => {
  using one = host()
  const long = Date.now() / 1000 - 3600
  for (const name of ['a.yaml', 'b.yaml']) {
    one.write(name, `token: ${SECRET}${name}\n`)
    utimesSync(join(one.srv, name), long, long)
  }
  const later = pluginUnderTest(
    plugin,
    { ...NOTHING, files: [`${one.srv}/*`] },
    {
      stateDir: join(one.srv, '../state'),
      now: new Date(Date.now() + 10_000),
    },
  )
  const first = await later.check()
  const second = await later.check()
  expect(second.findings).toEqual(first.findings)
  expect([first, second].map(({ facts }) => facts?.[0]?.data.filesUnchanged)).toEqual([0, 2])
  expect(second.facts?.[0]?.data.bytesSearched).toBe(0)
  // Same size and time of change of the content, another file.
  one.write('c', `token: env:TOKEN_______${'b.yaml'}\n`)
  utimesSync(join(one.srv, 'c'), long, long)
  renameSync(join(one.srv, 'c'), join(one.srv, 'b.yaml'))
  appendFileSync(join(one.srv, 'a.yaml'), `secret: ${SECRET}x\n`)
  const third = await later.check()
  expect(third.findings.map(({ subject }) => subject)).toEqual([
    `${one.srv}/a.yaml:token`,
    `${one.srv}/a.yaml:secret`,
  ])
})

test('what was written a moment ago is read again: it may be written once more within the same time stamp', async () => {
  using one = host()
  one.write('a.yaml', `token: ${SECRET}\n`)
  const run = one.run({ files: [`${one.srv}/*`] })
  await run.check()
  expect((await run.check()).facts?.[0]?.data.filesUnchanged).toBe(0)
})

test('other settings, or a spoilt memory, make it look at everything again', async () => {
  using one = host()
  one.write('a.yaml', `token: ${SECRET}\nrelay: ${SECRET}9\n`)
  const at = { stateDir: join(one.srv, '../state'), now: new Date(Date.now() + 10_000) }
  const config = { ...NOTHING, files: [`${one.srv}/*`] }
  expect((await pluginUnderTest(plugin, config, at).check()).findings).toHaveLength(1)
  expect((await pluginUnderTest(plugin, { ...config, names: ['relay'] }, at).check()).findings).toHaveLength(
    2,
  )
  writeFileSync(join(at.stateDir, 'looked-at'), 'reeve secret-scan 1 what\n"cut')
  expect((await pluginUnderTest(plugin, config, at).check()).findings).toHaveLength(1)
})

test('a run that is told to end does so, and does not report', async () => {
  using one = host()
  for (let index = 0; index < 40; index++) one.write(`${index}.yaml`, 'x: 1\n'.repeat(100_000))
  const abort = new AbortController()
  abort.abort(new Error('told to end'))
  expect(one.run({ files: [`${one.srv}/*`] }, abort.signal).check()).rejects.toThrow('told to end')
})
