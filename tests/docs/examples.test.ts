import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import { reeveBinary } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { blocksOf, CHECKOUT, fileOf } from './markdown.ts'

setDefaultTimeout(120_000)

const needs = { reason: landlockAbi() === 0 ? 'no Landlock: no job would run' : undefined }

function run(command: string[], cwd: string, env: Record<string, string> = {}) {
  const result = Bun.spawnSync(command, { cwd, env: { ...process.env, ...env } })
  return { exitCode: result.exitCode, stdout: `${result.stdout}`, output: `${result.stdout}${result.stderr}` }
}

/** The libraries of the checkout. zod is copied: a worker loads it, and sees nothing beside its own sources. */
function linkLibraries(directory: string): void {
  const [from, to] = [join(CHECKOUT, 'node_modules'), join(directory, 'node_modules')]
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    if (name === 'zod') cpSync(join(from, name), join(to, name), { recursive: true, dereference: true })
    else symlinkSync(join(from, name), join(to, name))
  }
}

testWith(needs)(
  'CONTRIBUTING.md: the plugin of ten minutes compiles, passes its tests and runs in its jail',
  () => {
    using copy = temporaryDirectory('reeve-tutorial')
    const at = (path: string) => join(copy.path, path)
    for (const path of [
      'agent',
      'plugins',
      'profiles',
      'packaging',
      'tests/kit',
      'package.json',
      'tsconfig.json',
    ]) {
      cpSync(join(CHECKOUT, path), at(path), { recursive: true })
    }
    linkLibraries(copy.path)
    for (const block of blocksOf('CONTRIBUTING.md')) {
      const path = fileOf(block)
      if (path) {
        mkdirSync(dirname(at(path)), { recursive: true })
        writeFileSync(at(path), block.text)
      }
      const registry = /^line=(\S+)$/.exec(block.note)?.[1]
      if (registry) {
        const text = readFileSync(at(registry), 'utf8')
        const opening = /^const plugins: .* = \{\n/m
        expect(text).toMatch(opening)
        writeFileSync(
          at(registry),
          text.replace(opening, (line) => line + block.text),
        )
      }
    }

    const include = ['plugins/stale-files', 'plugins/index.ts', 'tests/plugins/stale-files', 'agent/*.d.ts']
    writeFileSync(at('tutorial.json'), JSON.stringify({ extends: './tsconfig.json', include }))
    const tsc = [process.execPath, 'run', '--bun', 'tsc', '--noEmit', '--project', 'tutorial.json']
    expect(run(tsc, copy.path).output).toBe('')
    const tests = run([process.execPath, 'test', './tests/plugins/stale-files'], copy.path)
    expect(tests.output).toContain(' 0 fail')
    expect(tests.exitCode).toBe(0)

    using host = temporaryDirectory('reeve-tutorial-host')
    const uploads = join(host.path, 'uploads')
    mkdirSync(uploads)
    writeFileSync(join(uploads, 'old'), '')
    utimesSync(join(uploads, 'old'), 0, 0)
    const sample = readFileSync(at('plugins/stale-files/sample.yaml'), 'utf8')
    const config = join(host.path, 'reeve.yaml')
    writeFileSync(
      config,
      `stateDir: ${host.path}/state\njobs:\n${sample.replace('/srv/uploads/incoming', uploads).replace(/^/gm, '  ')}`,
      { mode: 0o600 },
    )
    const job = run([process.execPath, 'agent/main.ts', 'run', 'uploads', '--json'], copy.path, {
      REEVE_CONFIG: config,
    })
    expect(JSON.parse(job.stdout)).toMatchObject([{ job: 'uploads', outcome: 'clean' }])
    expect(run(['ls', uploads], '/').output).toBe('')
  },
)

testWith(needs)('docs/plugins.md: the external plugin is refused without its grant, and runs with it', () => {
  using host = temporaryDirectory('reeve-external')
  const at = (path: string) => join(host.path, path)
  const files = new Map(blocksOf('docs/plugins.md').flatMap((block) => [[fileOf(block) ?? '', block.text]]))
  writeFileSync(at('load-average.ts'), files.get('load-average.ts') ?? '')
  chmodSync(at('load-average.ts'), 0o644)
  const configure = (change: (text: string) => string) => {
    const text = (files.get('reeve.yaml') ?? '').replace('/etc/reeve/plugins', host.path)
    writeFileSync(at('reeve.yaml'), `stateDir: ${at('state')}\n${change(text)}`, { mode: 0o600 })
  }
  const reeve = (...args: string[]) =>
    run([reeveBinary(), ...args], host.path, { REEVE_CONFIG: at('reeve.yaml') })

  configure((text) => text.replace(/^ {4}grant:\n.*\n/m, ''))
  const [refused] = blocksOf('docs/plugins.md').filter(({ language }) => language === 'text')
  const check = reeve('config', 'check')
  expect(check.exitCode).toBe(2)
  expect(check.output).toContain(refused?.text.trim() ?? 'a block of text')

  configure((text) => text.replace('limit: 8', 'limit: 1000000'))
  expect(JSON.parse(reeve('run', 'load', '--json').stdout)).toMatchObject([{ outcome: 'clean' }])
  configure((text) => text.replace('limit: 8', 'limit: 0.000001'))
  const { exitCode, stdout } = reeve('run', 'load', '--json')
  // A machine without any load has none to find.
  const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[1])
  if (load > 0) expect(JSON.parse(stdout)).toMatchObject([{ outcome: 'findings', worst: 'warning' }])
  expect(exitCode).toBe(load > 0 ? 3 : 0)
})

test('docs/operations.md: its receiver takes a signed message and refuses a changed one', async () => {
  const block = blocksOf('docs/operations.md').find(({ note }) => note === 'receiver')
  using directory = temporaryDirectory('reeve-receiver')
  symlinkSync(join(CHECKOUT, 'node_modules'), join(directory.path, 'node_modules'))
  writeFileSync(join(directory.path, 'receiver.ts'), block?.text ?? '')
  const { Webhook } = await import('standardwebhooks')
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const body = JSON.stringify({ type: 'reeve.test', data: {} })
  const now = new Date()
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', now, body),
  }
  const receive = (text: string) =>
    run(
      [
        process.execPath,
        '-e',
        `const { receive } = await import('./receiver.ts'); receive(${JSON.stringify(text)}, ${JSON.stringify(headers)})`,
      ],
      directory.path,
      { REEVE_WEBHOOK_SECRET: secret },
    ).exitCode
  expect(receive(body)).toBe(0)
  expect(receive(body.replace('test', 'tset'))).not.toBe(0)
})
