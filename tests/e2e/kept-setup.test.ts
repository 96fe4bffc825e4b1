import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../agent/lib/digest.ts'
import { reeveBinary } from '../kit/binary.ts'
import { Workspace } from '../kit/workspace.ts'

// What the compiled binary keeps of a checked configuration, and when it believes it. To tell whether a setup
// was kept or made anew, what is kept is changed here as nobody else could: with the digest that belongs to it.

setDefaultTimeout(60_000)

const REAL = 'Watches files'
const CHANGED = 'as it was kept'

const PLUGIN = `export default ({ definePlugin, z }) => definePlugin({
  name: 'outside', summary: '${REAL}', defaults: { schedule: 'manual', timeout: '1m' }, rules: {},
  config: z.strictObject({}), permissions: () => ({ check: {} }), check: async () => ({ findings: [] }),
})`

class KeptHost extends Workspace {
  readonly plugin = this.write('outside.ts', PLUGIN)
  readonly kept = join(this.stateDir, 'setup.kept')

  constructor() {
    super()
    this.configure({ plugins: { paths: [this.plugin] }, jobs: { watch: { plugin: 'outside' } } })
  }

  /** Has a daemon keep its setup, and marks it. */
  async keep(): Promise<void> {
    const daemon = await this.daemon()
    expect(await daemon.stop()).toBe(0)
    expect(statSync(this.kept).mode & 0o7777).toBe(0o600)
    const [head = '', body = ''] = readFileSync(this.kept, 'utf8').split('\n')
    expect(body).toContain(REAL)
    const changed = body.replace(REAL, CHANGED)
    writeFileSync(this.kept, `${head.split(' ')[0]} ${sha256(changed)}\n${changed}`)
  }

  /** What the command line says that the job is. */
  async summary(env: Record<string, string> = {}): Promise<string | undefined> {
    const { stdout, stderr } = await this.reeve(['config', 'show'], { env })
    if (stdout === '') throw new Error(stderr)
    return [REAL, CHANGED].find((summary) => stdout.includes(summary))
  }
}

test('a start and a command believe what was kept, until a byte of what it was made of is another one', async () => {
  await using host = new KeptHost()
  expect(await host.summary()).toBe(REAL)
  expect(existsSync(host.kept)).toBe(false)
  await host.keep()
  expect(await host.summary()).toBe(CHANGED)
  const daemon = await host.daemon()
  expect(JSON.stringify((await daemon.api('/v1/jobs')).body)).toContain(CHANGED)
  expect(await host.run('watch')).toMatchObject({ outcome: 'clean' })
  expect(await daemon.stop()).toBe(0)

  expect(await host.summary({ TZ: 'Asia/Tokyo' })).toBe(REAL)
  expect(await host.summary({ REEVE_STATE_DIR: join(host.path, 'other') })).toBe(REAL)
  host.write('outside.ts', `${PLUGIN}\n`)
  expect(await host.summary()).toBe(REAL)
  host.write('outside.ts', PLUGIN)
  expect(await host.summary()).toBe(CHANGED)
  appendFileSync(host.config, '\n')
  expect(await host.summary()).toBe(REAL)
})

test('another build of the same version does not believe what this one has kept', async () => {
  await using host = new KeptHost()
  await host.keep()
  const other = join(host.path, 'reeve')
  copyFileSync(reeveBinary(), other)
  const { stdout } = Bun.spawnSync([other, 'config', 'show', '--config', host.config])
  expect(stdout.toString()).toContain(REAL)
  expect(await host.summary()).toBe(CHANGED)
})

test('a reload keeps the new setup; a configuration that others may write is refused, whatever was kept', async () => {
  await using host = new KeptHost()
  await host.keep()
  const daemon = await host.daemon()
  appendFileSync(host.config, '\n')
  daemon.signal('SIGHUP')
  await daemon.logged('reloaded')
  expect(await daemon.stop()).toBe(0)
  expect(readFileSync(host.kept, 'utf8')).toContain(REAL)
  const before = readFileSync(host.kept, 'utf8')
  expect(await host.summary()).toBe(REAL)

  chmodSync(host.config, 0o666)
  const refused = await host.reeve(['config', 'check'])
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('others can write it') })
  expect(readFileSync(host.kept, 'utf8')).toBe(before)
})

test('a daemon starts over what is damaged, and mends it', async () => {
  await using host = new KeptHost()
  await host.keep()
  const text = readFileSync(host.kept)
  text[text.length - 40] = (text[text.length - 40] ?? 0) ^ 1
  writeFileSync(host.kept, text)
  const daemon = await host.daemon()
  expect(JSON.stringify((await daemon.api('/v1/jobs')).body)).toContain(REAL)
  expect(await daemon.stop()).toBe(0)
  expect(readFileSync(host.kept, 'utf8')).toContain(REAL)
})
