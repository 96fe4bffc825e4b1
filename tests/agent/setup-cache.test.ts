import { expect, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readConfigFiles } from '../../agent/config/files.ts'
import { loadSetup, type Setup } from '../../agent/setup.ts'
import { keepSetup, recallSetup, runningProgram, setupKey } from '../../agent/setup-cache.ts'
import { describePlugin, loadExternalPlugin } from '../../agent/worker/external.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

const PLUGINS = join(import.meta.dir, '../../plugins')
const PROGRAM = '["1.2.3",1,2,3,4]'
const KEY = 'k'.repeat(64)

const EXTERNAL = `export default ({ definePlugin, z }) => definePlugin({
  name: 'outside', summary: 'An external plugin', defaults: { schedule: '@daily', timeout: '1m' }, rules: {},
  config: z.strictObject({}), permissions: () => ({ check: { read: ['/etc/hostname'] } }),
  check: async () => ({ findings: [] }),
})`

/** A host with a configuration that uses every built-in plugin, conf.d, an external plugin and all other parts. */
class Host implements Disposable {
  private readonly directory = temporaryDirectory('reeve-kept')
  readonly path = this.directory.path
  readonly config = join(this.path, 'reeve.yaml')
  readonly state = join(this.path, 'state')
  readonly plugin = join(this.path, 'outside.ts')
  readonly kept = join(this.state, 'setup.kept')

  constructor() {
    mkdirSync(this.state, { mode: 0o700 })
    mkdirSync(join(this.path, 'conf.d'))
    this.write(this.plugin, EXTERNAL)
    this.write(this.config, stringify(this.settings()))
    for (const name of builtInPlugins.names) {
      const jobs = readFileSync(join(PLUGINS, name, 'sample.yaml'), 'utf8').replaceAll(/^/gm, '  ')
      this.write(join(this.path, 'conf.d', `${name}.yaml`), `jobs:\n${jobs}`)
    }
  }

  settings() {
    return {
      stateDir: this.state,
      api: { listen: '127.0.0.1:7338', hosts: ['reeve.example.org'] },
      defaults: { jitter: '5m' },
      plugins: { paths: [this.plugin] },
      alerts: {
        channels: [
          { name: 'ops', type: 'webhook', url: 'https://hooks.example.org/r', secret: 'env:HOOK_SECRET' },
        ],
      },
      waivers: [{ rule: 'mode-differs', owner: 'ops', reason: 'shared on purpose', expires: '2031-01-01' }],
      jobs: {
        granted: { plugin: 'outside', grant: { read: ['/etc'] } },
        refused: { plugin: 'outside', timezone: 'Europe/Vienna', enabled: false },
      },
    }
  }

  write(path: string, text: string): void {
    writeFileSync(path, text, { mode: 0o600 })
  }

  load(): Promise<Setup> {
    return loadSetup(this.config, builtInPlugins, async (file, configs) =>
      describePlugin(await loadExternalPlugin(file), configs),
    )
  }

  key(program = PROGRAM, env = {}): string {
    return setupKey(program, readConfigFiles(this.config), env)
  }

  keep(setup: Setup, key = this.key()): void {
    keepSetup(key, setup, this.state)
  }

  recall(key = this.key(), env = {}): Setup | undefined {
    return recallSetup(key, readConfigFiles(this.config), env)
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }
}

test('recallSetup() gives exactly what loadSetup() had made', async () => {
  using host = new Host()
  const fresh = await host.load()
  expect(fresh.jobs.length).toBeGreaterThan(builtInPlugins.names.length)
  expect(fresh.jobs.find((job) => job.name === 'refused')?.refused).toContain('read /etc/hostname')
  expect(host.recall()).toBeUndefined()
  host.keep(fresh)
  expect(host.recall()).toEqual(fresh)
  expect(host.recall()).toEqual(await host.load())
  expect(lstatSync(host.kept).mode & 0o7777).toBe(0o600)
  expect(readdirSync(host.state)).toEqual(['setup.kept'])
})

test.each<[string, (host: Host) => void]>([
  ['a byte of the main file', (host) => appendFileSync(host.config, ' ')],
  ['a byte of a file in conf.d', (host) => appendFileSync(join(host.path, 'conf.d/backup.yaml'), '#')],
  ['a new file in conf.d', (host) => host.write(join(host.path, 'conf.d/zz.yaml'), 'jobs: {}\n')],
  ['a file that is gone from conf.d', (host) => rmSync(join(host.path, 'conf.d/backup.yaml'))],
  [
    'the name of a file in conf.d',
    (host) => renameSync(join(host.path, 'conf.d/backup.yaml'), join(host.path, 'conf.d/00.yaml')),
  ],
])('recallSetup() has nothing after a change of %s', async (_what, change) => {
  using host = new Host()
  host.keep(await host.load())
  expect(host.recall()).toBeDefined()
  change(host)
  expect(host.recall()).toBeUndefined()
})

test('setupKey() is another one for another program, time zone or place of the configuration', () => {
  using host = new Host()
  const files = readConfigFiles(host.config)
  const keys = [
    host.key(),
    host.key('["1.2.3",1,2,3,5]'),
    host.key(PROGRAM, { TZ: 'Asia/Tokyo' }),
    setupKey(PROGRAM, { ...files, path: '/etc/reeve/reeve.yaml' }, {}),
    setupKey(PROGRAM, { ...files, files: files.files.toReversed() }, {}),
  ]
  expect(new Set(keys).size).toBe(keys.length)
  expect(host.key()).toBe(host.key())
})

test('runningProgram() is not known of a program that runs from its sources', () => {
  expect(runningProgram()).toBeUndefined()
})

test('recallSetup() has nothing when the file of an external plugin is another one, or is gone', async () => {
  using host = new Host()
  host.keep(await host.load())
  host.write(host.plugin, EXTERNAL.replace('/etc/hostname', '/etc/shadow'))
  expect(host.recall()).toBeUndefined()
  host.write(host.plugin, EXTERNAL)
  expect(host.recall()).toBeDefined()
  rmSync(host.plugin)
  expect(host.recall()).toBeUndefined()
})

test('recallSetup() looks only where the state is: of the environment before the configuration', async () => {
  using host = new Host()
  host.keep(await host.load())
  const elsewhere = join(host.path, 'elsewhere')
  mkdirSync(elsewhere, { mode: 0o700 })
  expect(host.recall(host.key(), { REEVE_STATE_DIR: elsewhere })).toBeUndefined()
  expect(host.recall(host.key(), { REEVE_STATE_DIR: host.state })).toBeDefined()
})

test.each([
  ['stateDir: %', true],
  ['"stateDir": "%"', true],
  ["stateDir: '%' # where it is", true],
  ['{ "api": { "socket": false }, "stateDir": "%" }', true],
  // Found in the wrong place first: no harm, only no gain.
  ['# stateDir: /elsewhere\nstateDir: %', false],
])('recallSetup() finds the state of a configuration that says %p: %p', async (text, isFound) => {
  using host = new Host()
  host.write(host.config, `${text.replace('%', host.state)}\n`)
  rmSync(join(host.path, 'conf.d'), { recursive: true })
  const fresh = await host.load()
  expect(fresh.config.stateDir).toBe(host.state)
  host.keep(fresh)
  expect(host.recall() !== undefined).toBe(isFound)
})

function replace(path: string, make: (moved: string) => void): void {
  renameSync(path, `${path}.moved`)
  make(`${path}.moved`)
}

test.each<[string, (path: string) => void]>([
  ['others can read', (path) => chmodSync(path, 0o604)],
  ['a group can write', (path) => chmodSync(path, 0o620)],
  ['is cut off', (path) => truncateSync(path, lstatSync(path).size - 1)],
  ['is cut off in its first line', (path) => truncateSync(path, 100)],
  ['is empty', (path) => truncateSync(path, 0)],
  ['has a byte more', (path) => appendFileSync(path, ' ')],
  [
    'has another byte',
    (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('"observe"', '"enforce"')),
  ],
  ['is a link', (path) => replace(path, (real) => symlinkSync(real, path))],
  ['is a directory', (path) => replace(path, () => mkdirSync(path))],
  ['is a named pipe', (path) => replace(path, () => Bun.spawnSync(['mkfifo', '-m', '0600', path]))],
])('recallSetup() has nothing when what was kept %s', async (_what, damage) => {
  using host = new Host()
  host.keep(await host.load())
  damage(host.kept)
  expect(host.recall()).toBeUndefined()
})

test.skipIf(process.getuid?.() !== 0)(
  'recallSetup() of root does not believe what another user has written, nor keeps anything for one',
  async () => {
    using host = new Host()
    const fresh = await host.load()
    host.keep(fresh)
    chownSync(host.kept, 65_534, 65_534)
    expect(host.recall()).toBeUndefined()
    rmSync(host.kept)
    chownSync(host.state, 65_534, 65_534)
    host.keep(fresh)
    expect(readdirSync(host.state)).toEqual([])
  },
)

test('recallSetup() has nothing for another key than it was kept with', async () => {
  using host = new Host()
  host.keep(await host.load(), KEY)
  expect(host.recall()).toBeUndefined()
  expect(host.recall(KEY)).toBeDefined()
  expect(host.recall(KEY.slice(1))).toBeUndefined()
})

test('keepSetup() keeps nothing that JSON cannot say', async () => {
  using host = new Host()
  rmSync(join(host.path, 'conf.d'), { recursive: true })
  const fresh = await host.load()
  host.keep({
    ...fresh,
    jobs: fresh.jobs.map((job) => ({ ...job, config: { limit: Number.POSITIVE_INFINITY } })),
  })
  expect(readdirSync(host.state)).toEqual([])
  host.keep({ ...fresh, jobs: fresh.jobs.map((job) => ({ ...job, config: { limit: 1 } })) })
  expect(readdirSync(host.state)).toEqual(['setup.kept'])
})

test('keepSetup() replaces what was kept before, and what a crash has left', async () => {
  using host = new Host()
  const fresh = await host.load()
  host.keep(fresh, KEY)
  host.write(`${host.kept}.new`, 'half of')
  host.keep(fresh)
  expect(host.recall(KEY)).toBeUndefined()
  expect(host.recall()).toEqual(fresh)
  expect(readdirSync(host.state)).toEqual(['setup.kept'])
})

test('keepSetup() is silent where it cannot write', async () => {
  using host = new Host()
  const fresh = await host.load()
  rmSync(host.state, { recursive: true })
  expect(() => host.keep(fresh)).not.toThrow()
})
