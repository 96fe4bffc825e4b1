import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Command, CommandResult } from '../../../agent/contract/mod.ts'
import { toGrants } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { accept } from '../../../plugins/permission-drift/commands/accept.ts'
import { show } from '../../../plugins/permission-drift/commands/show.ts'
import { type Config, config as schema } from '../../../plugins/permission-drift/config.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { type ConfigInput, hostFixture, tellAll } from './fixture.ts'

const config: ConfigInput = { trees: [{ path: '/srv' }, { path: '/etc' }] }

/** Runs a command with its own permissions and no more. */
function run(
  host: ReturnType<typeof hostFixture>,
  command: Command<Config>,
  positionals: string[] = [],
  values: Record<string, string | boolean> = {},
): Promise<CommandResult> {
  const parsed = schema.parse(config)
  const args = { values, positionals }
  const grants = toGrants(command.permissions(parsed, args), '/state', (path) => [path])
  return command.run({
    config: parsed,
    args,
    job: 'permissions',
    now: new Date('2027-02-03T00:00:00Z'),
    signal: new AbortController().signal,
    log: { info: () => {}, warn: () => {} },
    stateDir: '/state',
    memory: host.memory(),
    secret: () => '',
    fingerprint: (value) => createHmac('sha256', 'a key for tests').update(value).digest('hex').slice(0, 32),
    progress: () => {},
    host: new LocalHostWriter(host.root, grants),
    state: new LocalHostWriter(
      host.root,
      toGrants({}, '/state', (path) => [path]),
    ),
  })
}

const baselineOf = (host: { root: string }, tree: string) =>
  `${host.root}/state/${readdirSync(`${host.root}/state`).find((name) => name.startsWith(`baseline-${tree}-`))}`

async function prepared() {
  const host = hostFixture()
  host.make('/srv/a', 0o600)
  await host.check(config)
  return host
}

describe('reeve baseline accept', () => {
  test('accept makes the present state the baseline, and the next check takes it', async () => {
    using host = await prepared()
    chmodSync(`${host.root}/srv/a`, 0o640)
    host.make('/srv/b')
    expect(tellAll(await host.check(config))).toEqual(['changed /srv/a', 'new /srv/b'])
    const result = await run(host, accept, [], { reason: 'release 7' })
    expect(result.exitCode).toBe(0)
    expect(result.text).toContain('/srv: generation 2, 3 entries: 1 new, 0 removed, 1 changed')
    expect(tellAll(await host.check(config))).toEqual([])
    expect(readFileSync(baselineOf(host, 'srv'), 'latin1')).toContain('"reason":"release 7"')
    expect(host.memory()).toMatchObject({
      baselines: { '/srv': { generation: 2 }, '/etc': { generation: 1 } },
    })
  })

  test('accept takes only the trees that are named', async () => {
    using host = await prepared()
    chmodSync(`${host.root}/srv/a`, 0o640)
    chmodSync(`${host.root}/etc/group`, 0o600)
    await run(host, accept, ['/srv'])
    expect(tellAll(await host.check(config))).toEqual(['changed /etc/group'])
    expect(run(host, accept, ['/usr'])).rejects.toThrow(
      'Cannot use "/usr": it lies in no tree of the job, which has /srv, /etc',
    )
  })

  test('accept does not let the baseline that it replaced come back', async () => {
    using host = await prepared()
    const old = readFileSync(baselineOf(host, 'srv'))
    host.make('/srv/more')
    await run(host, accept, ['/srv'])
    await host.check(config)
    writeFileSync(baselineOf(host, 'srv'), old)
    expect(tellAll(await host.check(config))).toEqual(['baseline-tampered /srv'])
  })

  test('accept makes a new baseline where the old one is gone or damaged, with a generation of its own', async () => {
    using host = await prepared()
    rmSync(baselineOf(host, 'srv'))
    writeFileSync(baselineOf(host, 'etc'), 'nonsense')
    expect(tellAll(await host.check(config))).toEqual(['baseline-missing /srv', 'baseline-tampered /etc'])
    expect(run(host, accept)).rejects.toThrow('make a new one with --anew')
    const { text } = await run(host, accept, [], { anew: true })
    expect(text).toContain('/srv: generation 2, 2 entries')
    expect(text).toContain('/etc: generation 2, 3 entries')
    expect(tellAll(await host.check(config))).toEqual([])
  })

  test('accept can be done twice before the next check', async () => {
    using host = await prepared()
    host.make('/srv/b')
    await run(host, accept, ['/srv'])
    host.make('/srv/c')
    const { text } = await run(host, accept, ['/srv'])
    expect(text).toContain('generation 3')
    expect(tellAll(await host.check(config))).toEqual([])
  })

  test('accept says what it could not look at, and ends with 4', async () => {
    using host = await prepared()
    host.make('/srv/closed/x')
    host.make('/srv/open')
    chmodSync(`${host.root}/srv/closed`, 0)
    chmodSync(host.root, 0o755)
    chmodSync(`${host.root}/state`, 0o777)
    for (const name of readdirSync(`${host.root}/state`)) chmodSync(`${host.root}/state/${name}`, 0o666)
    const result = await asOrdinaryUser(() => run(host, accept, ['/srv']))
    chmodSync(`${host.root}/srv/closed`, 0o700)
    expect(result.exitCode).toBe(4)
    expect(result.text).toContain('could not look at /srv/closed: permission denied')
  })

  test('accept leaves the baseline as it is when there is nothing to be seen', async () => {
    using host = await prepared()
    const before = readFileSync(baselineOf(host, 'srv'))
    rmSync(`${host.root}/srv`, { recursive: true })
    const result = await run(host, accept, ['/srv'])
    expect(result).toMatchObject({ exitCode: 4 })
    expect(result.text).toContain('/srv: nothing to accept; the baseline is as it was')
    expect(readFileSync(baselineOf(host, 'srv'))).toEqual(before)
  })
})

describe('reeve baseline show', () => {
  test('show tells of each baseline, and of none', async () => {
    using host = hostFixture()
    host.make('/srv/a', 0o600)
    expect((await run(host, show)).text).toContain('/srv: no baseline yet: the next check makes it')
    await host.check(config)
    const result = await run(host, show)
    expect(result.exitCode).toBe(0)
    expect(result.text).toBe(
      '/srv: 2 entries, generation 1, of 2027-01-02T03:04:05.678Z by reeve; holds mode, owner, group\n' +
        '/etc: 3 entries, generation 1, of 2027-01-02T03:04:05.678Z by reeve; holds mode, owner, group',
    )
    expect(result.json).toMatchObject([
      { tree: '/srv', state: 'good', generation: 1, entries: 2 },
      { tree: '/etc' },
    ])
  })

  test('show lists what the baseline holds of a path, not what is there now', async () => {
    using host = await prepared()
    chmodSync(`${host.root}/srv/a`, 0o777)
    const { text } = await run(host, show, ['/srv/a'])
    expect(text).toMatch(/^\/srv: 2 entries.*\n {2}0600 \S+:\S+ file \/srv\/a {2}size=0$/)
  })

  test('show tells of a baseline that is gone or was tampered with, and ends with 3', async () => {
    using host = await prepared()
    rmSync(baselineOf(host, 'srv'))
    const file = baselineOf(host, 'etc')
    writeFileSync(file, readFileSync(file, 'latin1').replace('"by":"reeve"', '"by":"peeve"'), 'latin1')
    const result = await run(host, show)
    expect(result.exitCode).toBe(3)
    expect(result.text).toBe(
      '/srv: its baseline cannot be trusted: it is missing\n/etc: its baseline cannot be trusted: its contents were changed',
    )
  })
})
