import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { commands } from '../../agent/cli/table.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { testWith } from '../kit/needs.ts'
import { waitUntil } from '../kit/wait.ts'
import { isAlive, type StartOptions, Workspace } from '../kit/workspace.ts'
import { PuppetHost } from './puppet.ts'

setDefaultTimeout(60_000)

/** A host on which one job has run, with a finding of each severity and something blind. */
async function hostWithHistory(): Promise<PuppetHost> {
  const host = new PuppetHost()
  host.jobs({ watch: { schedule: '@daily' }, other: { enabled: false } })
  host.tell('watch', { wrong: ['/srv/a'], blind: ['/srv/dark'], metric: 1 })
  host.tell('other', {})
  await host.reeve(['run', 'watch'])
  return host
}

// --- exit codes -----------------------------------------------------------------------------------------------------

test('the exit code of a run says how it went', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: { timeout: '1s' } })
  const run = async (script: Parameters<typeof host.tell>[1], ...options: string[]) => {
    host.tell('watch', script)
    return (await host.reeve(['run', 'watch', ...options])).exitCode
  }
  expect(await run({})).toBe(0)
  expect(await run({ wrong: ['/a'], severity: 'info' })).toBe(0)
  expect(await run({ wrong: ['/a'], severity: 'info' }, '--threshold', 'info')).toBe(3)
  expect(await run({ wrong: ['/a'] })).toBe(3)
  expect(await run({ wrong: ['/a'] }, '--threshold', 'critical')).toBe(0)
  expect(await run({ wrong: ['/a'], severity: 'critical' }, '--threshold', 'critical')).toBe(3)
  expect(await run({ blind: ['/a'] })).toBe(4)
  expect(await run({ fail: 'no' })).toBe(4)
  expect(await run({ exit: 0 })).toBe(4)
  expect(await run({ hang: 'politely' })).toBe(4)
  expect(await run({}, '--threshold', 'warnin')).toBe(2)
})

test('a run that saw only a part of what it should is no success, whatever the threshold', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', { wrong: ['/a'], severity: 'info', blind: ['/b'] })
  expect((await host.reeve(['run', 'watch', '--threshold', 'critical'])).exitCode).toBe(4)
})

test('reeve run --all gives the gravest of all its codes, and runs what comes after a failure', async () => {
  await using host = new PuppetHost()
  host.jobs({ a: {}, b: {}, c: {}, off: { enabled: false } })
  host.tell('a', { fail: 'no' })
  host.tell('b', { wrong: ['/b'] })
  host.tell('c', {})
  const { exitCode, stdout } = await host.reeve(['run', '--all', '--json'])
  expect(exitCode).toBe(4)
  const rows = z.array(z.looseObject({ job: z.string(), outcome: z.string() })).parse(JSON.parse(stdout))
  expect(rows.map(({ job, outcome }) => `${job} ${outcome}`)).toEqual(['a failed', 'b findings', 'c clean'])
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 130],
] as const) {
  test(`${signal} ends a run with all that it has started, as ${code}`, async () => {
    await using host = new PuppetHost()
    host.jobs({ watch: {} })
    host.tell('watch', { hang: 'politely', children: [['/bin/sleep', '600']] })
    const child = host.spawn(['run', 'watch', '--json'])
    const { worker, children } = await host.pids('watch')
    child.kill(signal)
    expect(await child.exited).toBe(code)
    expect([worker, ...children].filter(isAlive)).toEqual([])
    expect(JSON.parse(await child.stdout.text())).toMatchObject([{ outcome: 'interrupted' }])
    using store = host.store()
    expect(store.sqlite.query('SELECT outcome, finished_at IS NULL AS open FROM runs').all()).toEqual([
      { outcome: 'interrupted', open: 0 },
    ])
  })
}

test('reeve run that is killed takes the worker with it, and is told as failed', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  await host.run('watch')
  host.tell('watch', { hang: 'stubbornly' })
  const child = host.spawn(['run', 'watch'])
  const { worker } = await host.pids('watch')
  child.kill('SIGKILL')
  await child.exited
  await waitUntil('the worker is gone', 5000, () => !isAlive(worker))
  const status = await host.reeve(['status', '--json'])
  expect(status.exitCode).toBe(4)
  expect(JSON.parse(status.stdout)).toMatchObject({ state: 'failed', jobs: [{ state: 'failed' }] })
  host.tell('watch', {})
  expect(await host.run('watch')).toMatchObject({ outcome: 'clean' })
  expect((await host.reeve(['status'])).exitCode).toBe(0)
})

test('reeve check only looks, whatever the mode of the job', async () => {
  await using host = new Workspace()
  host.write('srv/file', 'x', 0o666)
  const rule = { path: join(host.path, 'srv/file'), mode: '0600' }
  chmodSync(rule.path, 0o666)
  host.configure({
    jobs: { modes: { plugin: 'permission-drift', mode: 'enforce', config: { rules: [rule] } } },
  })
  const mode = () => Bun.spawnSync(['stat', '-c', '%a', rule.path]).stdout.toString().trim()
  expect((await host.reeve(['check', 'modes'])).exitCode).toBe(3)
  expect(mode()).toBe('666')
  expect((await host.reeve(['run', 'modes'])).exitCode).toBe(0)
  expect(mode()).toBe('600')
})

// --- systemd timers instead of a daemon -----------------------------------------------------------------------------

test('two processes exclude each other for each job: the second ends with 5 and is noted as skipped', async () => {
  await using host = new PuppetHost()
  host.jobs({ slow: {}, other: {} })
  host.tell('slow', { take: 2000 })
  host.tell('other', {})
  const first = host.spawn(['run', '--timer', 'slow'])
  await host.pids('slow')
  const second = await host.reeve(['run', '--timer', 'slow', '--json'])
  expect(second.exitCode).toBe(5)
  expect(JSON.parse(second.stdout)).toMatchObject([
    { outcome: 'locked', reason: 'another reeve process is running this job', runId: null },
  ])
  expect((await host.reeve(['run', '--timer', 'other'])).exitCode).toBe(0)
  expect(await first.exited).toBe(0)
  host.tell('slow', {})
  expect((await host.reeve(['run', '--timer', 'slow', '--json'])).exitCode).toBe(0)
  const { stdout } = await host.reeve(['runs', '--json'])
  const rows = z
    .array(z.looseObject({ job: z.string(), trigger: z.string(), outcome: z.string() }))
    .parse(JSON.parse(stdout))
  expect(rows.map(({ job, trigger, outcome }) => `${job} ${trigger} ${outcome}`).toReversed()).toEqual([
    'slow timer clean',
    'slow timer skipped',
    'other timer clean',
    'slow timer clean',
  ])
})

test('processes that are first at once on a new state all do their work', async () => {
  await using host = new PuppetHost()
  const names = ['a', 'b', 'c', 'd']
  host.jobs(Object.fromEntries(names.map((name) => [name, {}])))
  for (const name of names) host.tell(name, {})
  const results = await Promise.all(names.map((name) => host.reeve(['run', '--timer', name])))
  expect(results.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(names.map(() => [0, '']))
})

test('reeve config timers writes a service and a timer for each job, with its own power only', async () => {
  await using host = await hostWithHistory()
  const units = join(host.path, 'units')
  const { exitCode, stdout } = await host.reeve(['config', 'timers', '--output', units])
  expect(exitCode).toBe(0)
  expect(stdout.trim().split('\n')).toEqual(['reeve-watch.service', 'reeve-watch.timer'])
  expect(readdirSync(units).toSorted()).toEqual(['reeve-watch.service', 'reeve-watch.timer'])
  expect(readFileSync(join(units, 'reeve-watch.service'), 'utf8')).toContain('run --timer watch')
})

// --- what it prints -------------------------------------------------------------------------------------------------

const READING: string[][] = [
  ['status'],
  ['findings'],
  ['findings', '--all'],
  ['runs'],
  ['runs', '1'],
  ['jobs'],
  ['jobs', 'watch'],
  ['facts'],
  ['alerts'],
  ['silence'],
  ['credentials'],
  ['audit', '--list'],
  ['plugins'],
  ['plugins', 'permission-drift'],
  ['token'],
  ['config', 'check'],
  ['config', 'show'],
  ['config', 'schema'],
  ['doctor'],
  ['version'],
  ['check', 'watch'],
  ['run', 'watch'],
]

test('every reading command prints JSON with --json, and text without control characters otherwise', async () => {
  await using host = await hostWithHistory()
  for (const command of READING) {
    const json = await host.reeve([...command, '--json'], {
      env: { FORCE_COLOR: '1', TERM: 'xterm-256color' },
    })
    expect([command, json.stderr]).toEqual([command, ''])
    expect(() => JSON.parse(json.stdout)).not.toThrow()
    const text = await host.reeve(command, { env: { FORCE_COLOR: '1', TERM: 'xterm-256color' } })
    expect([command, text.exitCode]).toEqual([command, json.exitCode])
    expect(text.stdout.length).toBeGreaterThan(0)
    expect([command, /[^\P{Cc}\n]/u.test(text.stdout)]).toEqual([command, false])
  }
  // Those of the table that can print JSON are all in the list above, but for those that act.
  const tried = new Set([...READING.map(([name]) => name), 'repair', 'attest'])
  for (const [name, { load }] of Object.entries(commands)) {
    if ((await load()).json) expect([name, tried.has(name)]).toEqual([name, true])
  }
})

/** Runs a command on a terminal of its own; what it wrote there. */
async function onTerminal(host: Workspace, args: string, env: StartOptions['env'] = {}): Promise<string> {
  const child = host.start(['script', '--quiet', '--return', '--command', host.command(args), '/dev/null'], {
    env: { TERM: 'xterm-256color', ...env },
  })
  const [output] = await Promise.all([child.stdout.text(), child.exited])
  return output
}

testWith({ programs: ['script'] })(
  'colours are for terminals, and not where NO_COLOR asks for none',
  async () => {
    await using host = await hostWithHistory()
    const ESCAPE = '\x1b['
    expect(await onTerminal(host, 'status')).toContain(ESCAPE)
    expect(await onTerminal(host, 'findings')).toContain(ESCAPE)
    expect(await onTerminal(host, 'status', { NO_COLOR: '1' })).not.toContain(ESCAPE)
    expect(await onTerminal(host, 'status', { TERM: 'dumb' })).not.toContain(ESCAPE)
    expect(await onTerminal(host, 'status --json')).not.toContain(ESCAPE)
  },
)

testWith({ programs: ['script'] })('a name from the host cannot act on the terminal', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  const hostile = '/srv/\x1b]0;owned\x07\x1b[2Jname\r\nsecond line'
  host.tell('watch', { wrong: [hostile], blind: [hostile], fail: '' })
  await host.reeve(['run', 'watch'])
  for (const command of ['findings', 'runs', 'runs 1', 'status', 'facts']) {
    const shown = await onTerminal(host, command)
    expect([command, shown.includes('\x1b]0;'), shown.includes('\x1b[2J'), shown.includes('\x07')]).toEqual([
      command,
      false,
      false,
      false,
    ])
    const piped = await host.reeve(command.split(' '))
    expect([command, /[^\P{Cc}\n]/u.test(piped.stdout)]).toEqual([command, false])
  }
})

test('a reader that has seen enough is no error', async () => {
  await using host = await hostWithHistory()
  const child = host.start([
    'sh',
    '-c',
    `${host.command('config schema')} | head -n 1; echo "\${PIPESTATUS:-}"`,
  ])
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  expect(stdout).toStartWith('{\n')
  expect(stderr).toBe('')
})

// --- silences -------------------------------------------------------------------------------------------------------

test('a silence and an acknowledgement hold until they end, and count as before', async () => {
  await using host = await hostWithHistory()
  const [finding] = JSON.parse((await host.reeve(['findings', '--json'])).stdout)
  const acknowledged = await host.reeve([
    'acknowledge',
    String(finding.id),
    '--for',
    '2h',
    '--reason',
    'on it',
  ])
  expect(acknowledged.stdout).toContain('Acknowledged until')
  const after = await host.reeve(['findings'])
  expect(after.exitCode).toBe(3)
  expect(after.stdout).toContain('no alerts until')
  const made = await host.reeve([
    'silence',
    'add',
    '--for',
    '1d',
    '--reason',
    'works',
    '--subject',
    '/srv/**',
    '--json',
  ])
  expect(JSON.parse(made.stdout)).toMatchObject({ id: 2, findings: 1 })
  const list = JSON.parse((await host.reeve(['silence', '--json'])).stdout)
  expect(list).toMatchObject([{ kind: 'silenced', subject: '/srv/**' }, { kind: 'acknowledged' }])
  expect((await host.reeve(['silence', 'end', '2'])).exitCode).toBe(0)
  expect(JSON.parse((await host.reeve(['silence', '--json'])).stdout)).toHaveLength(1)
})

// --- mistakes -------------------------------------------------------------------------------------------------------

const MISTAKES: [args: string[], says: string][] = [
  [['statsu'], 'there is no such command, did you mean "status"?'],
  [['qqqqqqqq'], 'there is no such command (see "reeve help")'],
  [['status', '--jsno'], 'there is no option "--jsno"; did you mean "--json"?'],
  [['status', '-x'], 'there is no option "-x"; see "reeve status --help"'],
  [['run'], 'Which job? Known are watch, other'],
  [['run', 'wacth'], 'There is no job "wacth", did you mean "watch"?'],
  [['run', 'zzzzzzz'], 'There is no job "zzzzzzz"; known are watch, other'],
  [['run', 'watch', '--all'], 'not both'],
  [['run', 'watch', '--threshold', 'grave'], 'There is no severity "grave"'],
  [['runs', '999'], 'There is no run "999"'],
  [['runs', '--since', 'yesterday'], 'Cannot read "--since yesterday"'],
  [['runs', '--limit', '0'], 'Cannot read "--limit 0"'],
  [['findings', '--severity', 'crit'], 'There is no severity "crit"'],
  [['jobs', 'wach'], 'did you mean "watch"?'],
  [['config', 'chekc'], 'did you mean "check"?'],
  [['plugins', 'backupp'], 'did you mean "backup"?'],
  [['token', 'nwe', 'x'], 'did you mean "new"?'],
  [['token', 'new'], 'Which token?'],
  [['token', 'new', 'x', '--scope', 'root'], 'There is no scope "root"'],
  [['silence', 'ad'], 'did you mean "add"?'],
  [['silence', 'add', '--for', '2h'], 'Say why with --reason'],
  [['silence', 'add', '--reason', 'x'], 'Say how long with --for'],
  [['silence', 'add', '--reason', 'x', '--for', '1000d'], 'at most'],
  [['silence', 'add', '--reason', 'x', '--for', '1d', '--job', 'wach'], 'did you mean "watch"?'],
  [['silence', 'end', '7'], 'There is no silence 7'],
  [['acknowledge', '99', '--for', '1d', '--reason', 'x'], 'There is no finding 99'],
  [['alerts', 'tset'], 'did you mean "test"?'],
  [['alerts', 'replay', 'x'], 'There is no alert "x"'],
  [['completion', 'tcsh'], 'There is no completion for "tcsh"'],
  [['backup', 'lsit'], 'There is no "reeve backup lsit"'],
  [['reload'], 'Cannot reload: no daemon answers'],
]
test('a mistake is told with what was meant, on standard error, as 2 and without a trace', async () => {
  await using host = await hostWithHistory()
  for (const [args, says] of MISTAKES) {
    const { exitCode, stdout, stderr } = await host.reeve(args)
    expect([args, exitCode, stdout]).toEqual([args, 2, ''])
    expect(stderr).toStartWith('reeve: ')
    expect(stderr).toContain(says)
    expect(stderr).not.toMatch(/\n\s+at /)
  }
})

test('help is there for everything, without a configuration', async () => {
  await using host = new Workspace()
  const elsewhere = { env: { REEVE_CONFIG: '/nowhere/reeve.yaml' } }
  const help = (...args: string[]) => {
    const child = host.start([host.command('').split("'")[1] ?? '', ...args], elsewhere)
    return Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  }
  const [code, overview, errors] = await help('help')
  expect([code, errors]).toEqual([0, ''])
  for (const name of Object.keys(commands)) expect(overview).toMatch(new RegExp(`^  ${name} `, 'm'))
  expect(overview).toMatch(/^ {2}backup restore /m)
  for (const name of Object.keys(commands)) {
    const [exitCode, text] = await help(name, '--help')
    expect([name, exitCode]).toEqual([name, 0])
    expect(text).toContain(`reeve ${name}`)
  }
  expect((await help())[0]).toBe(0)
  expect((await help('--version'))[1]).toStartWith('reeve ')
  expect((await help('version'))[1]).toStartWith('reeve ')
})

// --- completion -----------------------------------------------------------------------------------------------------

for (const [shell, check] of [
  ['bash', ['bash', '-n']],
  ['zsh', ['zsh', '-n']],
  ['fish', ['fish', '--no-execute']],
] as const) {
  testWith({ programs: [shell] })(`the completion script is accepted by ${shell}`, async () => {
    await using host = new Workspace()
    const { exitCode, stdout } = await host.reeve(['completion', shell])
    expect(exitCode).toBe(0)
    const script = host.write(`reeve.${shell}`, stdout)
    const { exitCode: accepted, stderr } = Bun.spawnSync([...check, script])
    expect([accepted, stderr.toString()]).toEqual([0, ''])
  })
}

testWith({ programs: ['bash'] })(
  'completion in bash knows commands, options and the verbs of plugins',
  async () => {
    await using host = new Workspace()
    const script = host.write('reeve.bash', (await host.reeve(['completion', 'bash'])).stdout)
    const complete = (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ')
      const code = `source ${script}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _reeve; printf '%s\\n' "\${COMPREPLY[@]}"`
      return Bun.spawnSync(['bash', '-c', code]).stdout.toString().trim().split('\n')
    }
    expect(complete('reeve', 'sta')).toEqual(['status'])
    expect(complete('reeve', '')).toEqual(expect.arrayContaining([...Object.keys(commands), 'backup']))
    expect(complete('reeve', 'runs', '--l')).toEqual(['--limit'])
    expect(complete('reeve', 'backup', 're')).toEqual(['restore'])
  },
)

// --- the rest -------------------------------------------------------------------------------------------------------

test('a token is shown once; only its hash is kept', async () => {
  await using host = new PuppetHost()
  host.jobs({})
  const made = await host.reeve(['token', 'new', 'laptop', '--scope', 'operate', '--expires', '90d'])
  expect(made.exitCode).toBe(0)
  const secret = made.stdout.trim()
  expect(secret).toMatch(/^reeve_[0-9a-f]{64}$/)
  const daemon = await host.daemon()
  const ask = (path: string, token: string, method = 'GET') =>
    fetch(`${daemon.url}${path}`, { method, headers: { authorization: `Bearer ${token}` } })
  expect((await ask('/v1/jobs', secret)).status).toBe(200)
  expect((await ask('/v1/reload', secret, 'POST')).status).toBe(403)
  expect((await host.reeve(['token', 'revoke', 'laptop'])).exitCode).toBe(0)
  expect((await ask('/v1/jobs', secret)).status).toBe(401)
  const again = await host.reeve(['token', 'list', '--json'])
  expect(again.stdout).not.toContain(secret)
  const everything = Bun.spawnSync([
    'grep',
    '--recursive',
    '--text',
    '--files-with-matches',
    secret,
    host.path,
  ])
  expect(everything.stdout.toString()).toBe('')
  expect(daemon.log).not.toContain(secret)
})

test('reeve init writes a configuration that is complete, private and never overwritten', async () => {
  await using host = new Workspace()
  const path = join(host.path, 'fresh/reeve/reeve.yaml')
  const init = (args: string) => {
    const child = host.start(['sh', '-c', host.command(args).replace(host.config, path)])
    return Promise.all([child.exited, child.stderr.text()])
  }
  expect(await init('init --user')).toEqual([0, ''])
  expect(Bun.spawnSync(['stat', '-c', '%a', path]).stdout.toString()).toBe('600\n')
  expect(await init('config check')).toEqual([0, ''])
  const before = readFileSync(path, 'utf8')
  const [code, stderr] = await init('init --user')
  expect([code, stderr]).toEqual([2, expect.stringContaining('there is one already; it stays as it is')])
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test('a command that only looks makes nothing', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  for (const command of [
    'status',
    'findings',
    'runs',
    'facts',
    'alerts',
    'jobs',
    'token',
    'doctor',
    'config',
    'plugins',
  ]) {
    await host.reeve([command])
  }
  expect(existsSync(host.stateDir)).toBe(false)
})

test('settings of the runtime inside of the binary do not change what it is', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  host.write('bunfig.toml', 'preload = ["./evil.ts"]')
  host.write('evil.ts', 'console.log("evil")')
  host.write('.env', 'REEVE_CONFIG=/nowhere')
  const child = host.start(['sh', '-c', `cd '${host.path}' && ${host.command('run watch --json')}`])
  const [stdout] = await Promise.all([child.stdout.text(), child.exited])
  expect(JSON.parse(stdout)).toMatchObject([{ outcome: 'clean' }])
})

test('every built-in plugin is listed, with its rules and settings', async () => {
  await using host = new Workspace()
  const { stdout } = await host.reeve(['plugins', '--json'])
  const listed = z.array(z.looseObject({ name: z.string() })).parse(JSON.parse(stdout))
  expect(listed.map(({ name }) => name)).toEqual([...builtInPlugins.names])
})
