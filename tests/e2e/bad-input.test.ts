import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { testWith } from '../kit/needs.ts'
import { Workspace } from '../kit/workspace.ts'
import { PuppetHost, runNow, startRun } from './puppet.ts'

// What a user, a disk or another program can do wrong: a clear message, an outcome that is not green, nothing lost.

setDefaultTimeout(60_000)

const asRoot = testWith({ root: true, programs: ['setpriv', 'unshare', 'mount'] })
const NOBODY = 65534
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']

/** The version of the schema that this reeve writes. */
function versionOf(host: Workspace): number {
  using store = host.store()
  return z.object({ user_version: z.number() }).parse(store.sqlite.query('PRAGMA user_version').get())
    .user_version
}

/** A configuration text with the workspace's own state directory. */
const withState = (host: Workspace, text: string) => `stateDir: ${host.stateDir}\n${text}`

test('every error of a configuration is told at once, with its place, what was found and what was wanted', async () => {
  await using host = new Workspace()
  host.write(
    'etc/reeve.yaml',
    withState(
      host,
      `api:
  listen: 0.0.0.0:7338
  socketgroup: reeve
defaults: { timezone: Europe/Wien, timeout: 15 minutes, sandbox: alway }
retention: { runs: 90 }
alerts:
  channels:
    - { name: ops, type: webhook, url: "ftp://example.org/" }
    - { name: ops2, type: slak, url: "https://example.org/" }
job: {}
jobs:
  Permissions: { plugin: permission-drift }
  drift:
    plugin: permission-drit
    schedule: "61 * * * *"
    mode: enforced
  logs:
    plugin: log-rotation
    schedul: "@daily"
    enabled: "yes"
    config:
      sets:
        - { name: a, paths: [relative/*.log], keep: -1, compres: gzip }
  statements:
    plugin: attestation
    mode: enforce
    config: { items: [] }
waivers:
  - { rule: mode-differs, owner: ops, expires: tomorrow }
`,
    ),
  )
  const { exitCode, stdout, stderr } = await host.reeve(['config', 'check'])
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  const golden = readFileSync(join(import.meta.dir, 'bad-input.golden.txt'), 'utf8')
  expect(stderr.replaceAll(host.path, '')).toBe(golden)
  // Every command that needs the configuration says the same, and none of them makes anything.
  for (const command of [['status'], ['run', 'drift'], ['daemon'], ['doctor'], ['reload']]) {
    expect(await host.reeve(command)).toMatchObject({ exitCode: 2, stderr })
  }
  expect(existsSync(host.stateDir)).toBe(false)
})

test('text that is no YAML is refused with its line', async () => {
  await using host = new Workspace()
  host.write('etc/reeve.yaml', 'jobs:\n  a: [\n  b: }\n')
  const { exitCode, stderr } = await host.reeve(['config', 'check'])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/reeve\.yaml:\d+:\d+: not valid YAML: /)
})

test('a secret in the configuration is refused by key and line, and its value is shown nowhere', async () => {
  const value = 'hunter2-correct-horse-battery'
  for (const [line, keyPath] of [
    [`apiKey: ${value}`, 'jobs.disk.config.permissions.apiKey'],
    [`DB-PASS: "${value}"`, 'jobs.disk.config.permissions.DB-PASS'],
    [`nested: { very: { accessToken: ${value} } }`, 'jobs.disk.config.permissions.nested.very.accessToken'],
    [`address: https://user:${value}@example.org/`, 'jobs.disk.config.permissions.address'],
  ]) {
    await using host = new Workspace()
    host.write(
      'etc/reeve.yaml',
      withState(
        host,
        `jobs:\n  disk:\n    plugin: command\n    config:\n      argv: [/bin/true]\n      permissions:\n        ${line}\n`,
      ),
    )
    for (const command of [
      ['config', 'check'],
      ['config', 'show'],
      ['daemon'],
      ['run', 'disk', '--verbose'],
    ]) {
      const { exitCode, stdout, stderr } = await host.reeve(command)
      expect(exitCode).toBe(2)
      expect(stderr).toMatch(new RegExp(`reeve\\.yaml:8:\\d+: ${keyPath}: it holds a`))
      expect(stdout + stderr).not.toContain(value)
    }
    expect(existsSync(host.stateDir)).toBe(false)
  }
})

test('a configuration that others can write, or everyone can read, is refused with what to do', async () => {
  for (const [mode, reason] of [
    [0o666, 'others can write it (mode 0666); run: chmod go-w'],
    [0o620, 'others can write it (mode 0620); run: chmod go-w'],
    [0o644, 'everyone can read it (mode 0644); run: chmod o-rwx'],
  ] as const) {
    await using host = new Workspace()
    chmodSync(host.config, mode)
    const { exitCode, stderr } = await host.reeve(['status'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`${host.config}: ${reason} ${host.config}`)
  }
  await using host = new Workspace()
  chmodSync(host.config, 0o640)
  expect((await host.reeve(['config', 'check'])).exitCode).toBe(0)
})

test('a configuration that is missing, a directory, or a pipe is refused at once', async () => {
  await using host = new Workspace()
  const missing = await host.reeve(['status'], { env: { REEVE_CONFIG: '/nowhere' } })
  expect(missing.exitCode).toBe(4) // --config comes before the environment
  const run = (path: string) => {
    const check = host.start(['sh', '-c', host.command('config check').replace(host.config, path)])
    return Promise.all([check.exited, check.stderr.text()])
  }
  expect(await run(join(host.path, 'none.yaml'))).toEqual([
    2,
    expect.stringContaining('there is no such file; "reeve init" writes one'),
  ])
  expect(await run(host.path)).toEqual([2, expect.stringContaining('it is no regular file')])
  const fifo = join(host.path, 'etc/fifo')
  Bun.spawnSync(['mkfifo', '-m', '0600', fifo])
  expect(await run(fifo)).toEqual([2, expect.stringContaining('it is no regular file')])
})

test('conf.d is joined with the configuration; what is set twice is told with both places', async () => {
  await using host = new Workspace()
  const job = (name: string) => `jobs:\n  ${name}:\n    plugin: command\n    config: { argv: [/bin/true] }\n`
  host.write('etc/reeve.yaml', withState(host, job('first')))
  host.write('etc/conf.d/10-more.yaml', job('second'))
  host.write('etc/conf.d/20-more.yml', job('third'))
  host.write('etc/conf.d/ignored.txt', 'no: yaml: at all')
  host.write('etc/conf.d/.hidden.yaml', 'nonsense: true')
  const good = await host.reeve(['config', 'check', '--json'])
  expect(JSON.parse(good.stdout)).toMatchObject({
    jobs: 3,
    refused: [],
    files: [host.config, expect.stringContaining('10-more.yaml'), expect.stringContaining('20-more.yml')],
  })
  host.write('etc/conf.d/30-again.yaml', `stateDir: /elsewhere\n${job('first')}`)
  const { exitCode, stderr } = await host.reeve(['config', 'check'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(`conf.d/30-again.yaml:1:1: stateDir: it is set already in ${host.config}:1`)
  expect(stderr).toContain(
    `conf.d/30-again.yaml:4:5: jobs.first.plugin: it is set already in ${host.config}:4`,
  )
})

asRoot('a state directory that cannot be written is told, and nothing looks finished', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  chmodSync(host.path, 0o755)
  Bun.spawnSync([
    'chown',
    '-R',
    'nobody',
    join(host.path, 'etc'),
    join(host.path, 'plugins'),
    join(host.path, 'watch.json'),
  ])
  // Its parent belongs to root.
  const parent = await host.reeve(['run', 'watch'], { wrap: asNobody })
  expect(parent.exitCode).toBe(2)
  expect(parent.stderr).toStartWith(`reeve: Cannot use the state directory "${host.stateDir}": `)
  expect(parent.stderr).toContain('EACCES')
  // It belongs to somebody else.
  mkdirSync(host.stateDir, { mode: 0o755 })
  for (const command of [['run', 'watch'], ['daemon']]) {
    const other = await host.reeve(command, { wrap: asNobody })
    expect(other.exitCode).toBe(2)
    expect(other.stderr).toContain(`"${host.stateDir}": it belongs to user id 0, reeve runs as ${NOBODY}`)
  }
  // Others may write it.
  chownSync(host.stateDir, NOBODY, NOBODY)
  chmodSync(host.stateDir, 0o777)
  const open = await host.reeve(['daemon'], { wrap: asNobody })
  expect(open.exitCode).toBe(2)
  expect(open.stderr).toContain(`others can write it; run: chmod 0700 ${host.stateDir}`)
  expect(readdirSync(host.stateDir)).toEqual([])
  chmodSync(host.stateDir, 0o700)
  expect(await host.run('watch', { wrap: asNobody })).toMatchObject({ outcome: 'clean' })
})

test('a port that is in use is told, with how to see by whom', async () => {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('mine') })
  await using host = new Workspace({ api: { listen: `127.0.0.1:${server.port}`, socket: false } })
  const { exitCode, stderr } = await host.reeve(['daemon'])
  expect(exitCode).toBe(2)
  const last = stderr.trimEnd().split('\n').at(-1)
  expect(last).toStartWith(
    `reeve: Cannot listen on "127.0.0.1:${server.port}": port ${server.port} is in use. See who holds it with: ss -ltnp`,
  )
  expect(await (await fetch(server.url)).text()).toBe('mine')
  await server.stop(true)
})

test('a database of a newer reeve is left alone', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  await host.run('watch')
  const newest = versionOf(host)
  host.change('PRAGMA user_version = 999')
  const before = readFileSync(host.database)
  for (const command of [['run', 'watch'], ['daemon'], ['token', 'new', 'x']]) {
    const { exitCode, stderr } = await host.reeve(command)
    expect([command[0], exitCode]).toEqual([command[0], 2])
    expect(stderr).toContain(
      `Cannot use the database "${host.database}": it was written by a newer reeve (version 999, this one knows ${newest})`,
    )
  }
  expect(readFileSync(host.database)).toEqual(before)
  // Those that only read do not pretend to understand it.
  for (const command of ['status', 'findings', 'runs', 'facts', 'alerts']) {
    const { exitCode, stderr } = await host.reeve([command])
    expect([command, exitCode]).toEqual([command, 2])
    expect(stderr).toContain('newer reeve')
  }
})

test('a database that is none, or that is damaged, is told and left alone', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  await host.run('watch')
  const whole = readFileSync(host.database)
  for (const spoil of [
    () =>
      writeFileSync(
        host.database,
        'this is no database, but it is long enough to be taken for the header of one. '.repeat(40),
      ),
    () => truncateSync(host.database, 4096 + 100),
  ]) {
    writeFileSync(host.database, whole)
    spoil()
    const before = readFileSync(host.database)
    for (const command of [['run', 'watch', '--json'], ['status'], ['findings'], ['doctor']]) {
      const { exitCode, stdout, stderr } = await host.reeve(command)
      expect([command[0], exitCode === 2 || exitCode === 4]).toEqual([command[0], true])
      expect(stdout + stderr).toMatch(/not a database|malformed/)
      expect(stderr).not.toContain('    at ')
    }
    expect(readFileSync(host.database).equals(before)).toBe(true)
  }
})

test('a key of the host that is damaged is told, and not replaced', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  await host.run('watch')
  const key = join(host.stateDir, 'host.key')
  expect(statSync(key).mode & 0o777).toBe(0o600)
  truncateSync(key, 31)
  for (const command of [['run', 'watch'], ['daemon']]) {
    const { exitCode, stderr } = await host.reeve(command)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`Cannot use "${key}": it is damaged (31 bytes). Restore it from a backup`)
  }
  expect(statSync(key).size).toBe(31)
})

test('an unreadable file makes a run blind, never clean', async () => {
  await using host = new Workspace()
  const token = host.write('tokens', 'x'.repeat(40))
  host.configure({
    jobs: {
      age: {
        plugin: 'credential-age',
        config: {
          credentials: [
            { kind: 'token-file', path: token },
            { kind: 'token-file', path: `${token}2` },
          ],
        },
      },
    },
  })
  mkdirSync(`${token}2`)
  const result = await host.run('age')
  expect(['blind', 'findings']).toContain(result.outcome)
  expect(result.exitCode).not.toBe(0)
  const { stdout } = await host.reeve(['runs', '1', '--json'])
  expect(JSON.parse(stdout).blind).toMatchObject([{ subject: expect.stringContaining(`${token}2`) }])
})

// --- a full disk ----------------------------------------------------------------------------------------------------

/** Runs a script in a mount namespace of its own in which the state directory is a small tmpfs. */
async function onSmallDisk(host: Workspace, script: string, size = '1m'): Promise<string> {
  mkdirSync(host.stateDir, { mode: 0o700 })
  const mount = `mount -t tmpfs -o size=${size},mode=0700 tmpfs '${host.stateDir}'`
  const child = host.start([
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    `exec 2>&1; ${mount} && { ${script}; }`,
  ])
  const [output] = await Promise.all([child.stdout.text(), child.exited])
  return output
}
const FILL = (host: Workspace) => `dd if=/dev/zero of='${host.stateDir}/ballast' bs=4k 2>/dev/null; :`

asRoot('on a full disk no run looks finished and nothing is green; with room again all goes on', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', { wrong: ['/a'] })
  const reeve = (args: string) => `${host.command(args)}; echo "exit $?"`
  const output = await onSmallDisk(
    host,
    [
      reeve('run watch --json'),
      `echo ==full; ${FILL(host)}`,
      reeve('run watch --json'),
      'echo ==status',
      reeve('status --json'),
      `echo ==room; rm '${host.stateDir}/ballast'`,
      reeve('run watch --json'),
      'echo ==runs',
      reeve('runs --json'),
      reeve('findings --json'),
    ].join('; '),
  )
  const [first = '', full = '', status = '', room = '', runs = ''] = output.split(/==\w+\n/)
  expect(first).toContain('"outcome": "findings"')
  expect(first).toContain('exit 3')
  expect(full).toContain('the disk is full; see df -h')
  expect(full).not.toMatch(/"outcome": "(clean|findings)"/)
  expect(full).toContain('exit 4\n')
  expect(status).not.toMatch(/"state": "ok"/)
  expect(status).not.toContain('exit 0')
  expect(room).toContain('"outcome": "findings"')
  expect(runs).not.toContain('"outcome": "clean"')
  expect(runs.match(/"subject": "\/a"/g)).toHaveLength(1)
})

asRoot('a daemon lives through a full disk, says so, and records again when there is room', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  mkdirSync(host.stateDir, { mode: 0o700 })
  const mount = `mount -t tmpfs -o size=1m,mode=0700 tmpfs '${host.stateDir}' && exec "$@"`
  const daemon = await host.daemon({
    wrap: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh'],
  })
  const inside = `/proc/${daemon.pid}/root${host.stateDir}`
  expect(await runNow(daemon, 'watch')).toMatchObject({ outcome: 'clean' })
  const state = async () => JSON.parse(JSON.stringify((await daemon.api('/v1/status')).body)).state
  expect(await state()).toBe('ok')

  host.tell('watch', { take: 700, memory: 'x'.repeat(300_000) })
  const id = await startRun(daemon, 'watch')
  try {
    for (;;) writeFileSync(join(inside, 'ballast'), Buffer.alloc(4096), { flag: 'a' })
  } catch (error) {
    expect(String(error)).toContain('ENOSPC')
  }
  await daemon.logged('run not recorded', { runId: id })
  expect((await daemon.api('/healthz')).status).toBe(200)
  expect(await state()).toBe('failed')
  const row = await daemon.api(`/v1/runs/${id}`)
  expect(row.body).toMatchObject({ outcome: 'interrupted', finishedAt: null })

  truncateSync(join(inside, 'ballast'), 0)
  host.tell('watch', {})
  expect(await runNow(daemon, 'watch')).toMatchObject({ outcome: 'clean' })
  expect(await state()).toBe('ok')
  expect((await daemon.api(`/v1/runs/${id}`)).body).toMatchObject({ outcome: 'interrupted' })
  expect(await daemon.stop()).toBe(0)
})
