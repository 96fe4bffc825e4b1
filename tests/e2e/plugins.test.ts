import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../kit/needs.ts'
import { Workspace } from '../kit/workspace.ts'
import { findings, PuppetHost, runNow } from './puppet.ts'

// External plugins: files outside of the binary, which ask for permissions and get what the configuration grants.

setDefaultTimeout(60_000)

/** A plugin that lists a directory, in JavaScript, with permissions as its configuration says. */
const LISTER = `
export default ({ definePlugin, z }) => definePlugin({
  name: 'lister',
  summary: 'Lists a directory',
  defaults: { schedule: '@daily', timeout: '10s' },
  rules: { 'file-there': { means: 'There is a file', severity: 'info' } },
  config: z.strictObject({ directory: z.string(), ask: z.array(z.string()).optional(), write: z.array(z.string()).default([]) }),
  permissions: ({ directory, ask, write }) => ({ check: { list: ask ?? [directory] }, apply: { list: [directory], write } }),
  async check({ config, host }) {
    const findings = host.list(config.directory).map((name) => ({
      rule: 'file-there', subject: name, severity: 'info', summary: name + ' is there', fixable: true,
    }))
    return { findings, coverage: { examined: findings.length, skipped: 0 } }
  },
  async apply({ config, findings, host }) {
    for (const { subject } of findings) host.remove(config.directory + '/' + subject)
    return { findings: [] }
  },
})
`

class ListerHost extends Workspace {
  readonly place = join(this.path, 'srv')
  readonly plugin = this.write('plugins/lister.js', LISTER)

  lister(job: Record<string, unknown>, config: Record<string, unknown> = {}): void {
    mkdirSync(this.place, { recursive: true })
    this.configure({
      plugins: { paths: [this.plugin] },
      jobs: { list: { plugin: 'lister', ...job, config: { directory: this.place, ...config } } },
    })
  }
}

test('an external plugin may not run until each permission that it asks for is granted', async () => {
  await using host = new ListerHost()
  const elsewhere = join(host.path, 'elsewhere')
  host.lister(
    { mode: 'enforce', grant: { list: [join(host.place, 'deeper'), `${host.place}x`] } },
    {
      write: [elsewhere],
    },
  )
  const missing = `it asks for permissions that are not granted: list ${host.place}, write ${elsewhere}`

  const check = await host.reeve(['config', 'check'])
  expect(check).toMatchObject({ exitCode: 2, stderr: '' })
  expect(check.stdout).toContain(`but list will not run: ${missing}\n`)
  expect(await host.run('list')).toMatchObject({
    outcome: 'refused',
    reason: missing,
    exitCode: 4,
    runId: null,
  })
  const status = await host.reeve(['status', '--json'])
  expect(status.exitCode).toBe(4)
  expect(JSON.parse(status.stdout)).toMatchObject({
    state: 'refused',
    jobs: [{ state: 'refused', reason: missing }],
  })
  expect(await host.reeve(['doctor'])).toMatchObject({
    exitCode: 4,
    stdout: expect.stringContaining(missing),
  })

  const daemon = await host.daemon()
  expect(await findings(daemon)).toMatchObject([
    { rule: 'job-refused', subject: 'job list', severity: 'critical', state: 'open' },
  ])
  expect(await daemon.api('/v1/jobs/list/run', { method: 'POST' })).toMatchObject({
    status: 409,
    body: { type: 'urn:reeve:problem:job-refused', detail: missing },
  })

  // In observe mode it needs no more than its check does.
  host.lister({ mode: 'observe', grant: { list: [host.path] } }, { write: [elsewhere] })
  expect(await host.reeve(['reload'])).toMatchObject({ exitCode: 0 })
  expect(await findings(daemon, '&state=open')).toEqual([])
  expect(await runNow(daemon, 'list')).toMatchObject({ outcome: 'clean' })
})

test('an external plugin that has its permissions looks, acts and looks again', async () => {
  await using host = new ListerHost()
  host.lister(
    { mode: 'enforce', grant: { list: [host.place], write: [host.place] } },
    {
      write: [host.place],
    },
  )
  host.write('srv/a', '')
  host.write('srv/b', '')
  const observed = await host.reeve(['check', 'list', '--json', '--threshold', 'info'])
  expect(observed.exitCode).toBe(3)
  expect(existsSync(join(host.place, 'a'))).toBe(true)
  expect(await host.run('list')).toMatchObject({ outcome: 'clean', findings: 0, exitCode: 0 })
  expect(existsSync(join(host.place, 'a'))).toBe(false)
})

test('a grant cannot be widened by "..", not even by one in braces', async () => {
  for (const ask of ['/..', '/{..,a}', '/{a,../..}', '/a/../..']) {
    await using host = new ListerHost()
    host.lister({ grant: { list: [host.place] } }, { ask: [`${host.place}${ask}`] })
    const { outcome, reason } = await host.run('list')
    expect([outcome, reason]).toEqual([
      'refused',
      `it asks for permissions that are not granted: list ${host.place}${ask}`,
    ])
  }
  // Granted as it is asked for, it still opens nothing.
  await using host = new ListerHost()
  const ask = [`${host.place}/{..,a}`]
  host.lister({ grant: { list: ask } }, { ask })
  const { outcome, reason } = await host.run('list')
  expect(outcome).toBe('failed')
  expect(reason).toContain(`Cannot grant "${host.place}/.."`)
})

test('a grant cannot be widened by a symbolic link', async () => {
  await using host = new ListerHost()
  mkdirSync(join(host.path, 'srv'))
  mkdirSync(join(host.path, 'private'))
  writeFileSync(join(host.path, 'private/secret'), '')
  symlinkSync(join(host.path, 'private'), join(host.path, 'srv/link'))
  host.lister(
    { grant: { list: [host.place] } },
    {
      directory: join(host.place, 'link'),
      ask: [join(host.place, 'link')],
    },
  )
  const plain = await host.run('list')
  expect(plain.outcome).toBe('failed')
  expect(plain.reason).toContain('to an external plugin: there is a symbolic link in it')

  host.lister(
    { grant: { list: [host.place] } },
    {
      directory: join(host.place, 'link'),
      ask: [join(host.place, 'l*')],
    },
  )
  const matched = await host.run('list')
  expect(matched.outcome).toBe('failed')
  expect(matched.reason).toContain('permission denied (the jail')
})

test('a file that is no plugin is refused with its place in the configuration, and what is wrong with it', async () => {
  const wrong: [content: string, message: string][] = [
    ['export default 5', 'its default export'],
    ['export const x = 1', 'its default export'],
    ['this is no program', 'plugins/lister.js'],
    ["throw new Error('at import')", 'at import'],
    [LISTER.replace("name: 'lister'", "name: 'Lister!'"), 'name'],
    [LISTER.replace("severity: 'info' }", "severity: 'grave' }"), 'rules.file-there.severity'],
    [
      LISTER.replace("name: 'lister'", "name: 'permission-drift'"),
      'there is another plugin "permission-drift"',
    ],
    [LISTER.replace('async check(', 'async chekc('), 'check'],
    // It runs in a jail that lets it do nothing, and not for ever.
    ["require('node:fs').readFileSync('/etc/hostname')", 'EACCES'],
    ["import fs from 'node:fs'; fs.writeFileSync('/tmp/reeve-escaped', '')", 'EACCES'],
  ]
  for (const [content, message] of wrong) {
    await using host = new ListerHost()
    host.lister({ grant: { list: [host.place] } })
    host.write('plugins/lister.js', content)
    const result = await host.reeve(['config', 'check'])
    expect(result.exitCode).toBe(2)
    expect(result.stderr).toStartWith(`reeve: Cannot use the configuration "${host.config}": 1 problem`)
    expect(result.stderr).toMatch(/reeve\.yaml:\d+:\d+: plugins\.paths\.0: /)
    expect(result.stderr).toContain(message)
  }
  expect(existsSync('/tmp/reeve-escaped')).toBe(false)
})

test('a plugin file that is missing, or that others can write, is refused', async () => {
  await using host = new ListerHost()
  host.lister({ grant: { list: [host.place] } })
  chmodSync(host.plugin, 0o666)
  const writable = await host.reeve(['config', 'check'])
  expect(writable.exitCode).toBe(2)
  expect(writable.stderr).toContain('others can write')

  host.configure({ plugins: { paths: [join(host.path, 'none.ts')] }, jobs: { list: { plugin: 'lister' } } })
  const missing = await host.reeve(['config', 'check'])
  expect(missing.exitCode).toBe(2)
  expect(missing.stderr).toContain('plugins.paths.0: ')
  expect(missing.stderr).toContain('none.ts')
  expect(missing.stderr).not.toContain('    at ')
})

test('a plugin file that others can write since the daemon started is not run any more', async () => {
  await using host = new ListerHost()
  host.lister({ grant: { list: [host.place] } })
  const daemon = await host.daemon()
  expect(await runNow(daemon, 'list')).toMatchObject({ outcome: 'clean' })
  chmodSync(host.plugin, 0o666)
  const run = await runNow(daemon, 'list')
  expect(run.outcome).toBe('failed')
  expect(run.reason).toContain('others can write it; run: chmod go-w')
})

test('what is wrong with the settings of an external plugin is told with the place of the job', async () => {
  await using host = new ListerHost()
  host.lister({ grant: { list: [host.place] } }, { directory: 5, colour: 'red' })
  const { exitCode, stderr } = await host.reeve(['config', 'check'])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/reeve\.yaml:\d+:\d+: jobs\.list\.config: /)
  expect(stderr).toContain('colour')
  expect(stderr).toContain('directory')
})

test('a plugin that speaks in the place of the worker is not believed more than its code', async () => {
  await using host = new ListerHost()
  const say = (message: unknown) =>
    `require('node:fs').writeSync(1, ${JSON.stringify(`${JSON.stringify(message)}\n`)})`
  // What it asks for, in a shape that nobody has asked it for.
  for (const [check, told] of [
    [{ read: '/etc/shadow' }, 'jobs.list'],
    [{ run: [[]] }, 'jobs.list'],
    [{ everything: true }, 'jobs.list'],
  ] as const) {
    const description = {
      name: 'lister',
      summary: '',
      defaults: { schedule: 'manual', timeout: '1m' },
      rules: {},
      canApply: false,
      jobs: { list: { check } },
    }
    host.lister({ grant: { list: [host.place] } })
    host.write('plugins/lister.js', `${say({ type: 'description', description })}\n${LISTER}`)
    const { exitCode, stderr } = await host.reeve(['config', 'check'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`Cannot use the plugin "${host.plugin}": ${told}`)
  }
  // How far it is confined.
  host.write('plugins/lister.js', `${say({ type: 'jailed', sandbox: 'landlock-99+magic' })}\n${LISTER}`)
  host.lister({ sandbox: 'off', grant: { list: [host.place] } })
  await host.run('list')
  const runs = await host.reeve(['runs', '--json'])
  expect(JSON.parse(runs.stdout)).toMatchObject([{ sandbox: 'off' }])
  // Something that is no message at all.
  host.write('plugins/lister.js', `${say({ type: 'jailed' }).replace('{', '')}\n${LISTER}`)
  expect((await host.reeve(['config', 'check'])).exitCode).toBe(2)
})

const DISTRUST: [what: string, report: string, reason: string][] = [
  ['no object', '5', 'it has no list of findings'],
  ['an unknown key', '{ findings: [], extra: 1 }', 'report is not valid'],
  [
    'a rule that is no name',
    "{ findings: [{ rule: 'No Rule', subject: 'x', severity: 'info', summary: 'x' }] }",
    'findings.0.rule',
  ],
  ['no findings', '{}', 'it has no list of findings'],
  ['too much memory', "{ findings: [], memory: 'x'.repeat(2_000_000) }", 'larger than'],
  ['what JSON cannot say', '{ findings: [], memory: 10n }', 'BigInt'],
]

for (const [what, report, reason] of DISTRUST) {
  test(`a report with ${what} is a failed run, not a finished one`, async () => {
    await using host = new ListerHost()
    host.lister({ grant: { list: [host.place] } })
    host.write(
      'plugins/lister.js',
      LISTER.replace('return { findings, coverage', `return ${report}; ({ findings, coverage`).replace(
        'skipped: 0 } }\n',
        'skipped: 0 } })\n',
      ),
    )
    const result = await host.run('list')
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 4 })
    expect(result.reason).toContain(reason)
  })
}

test('what a plugin prints is no answer, and does not spoil one', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  const forged = JSON.stringify({ type: 'report', report: { findings: [] } })
  host.tell('watch', { say: forged, wrong: ['/a'] })
  expect(await host.run('watch')).toMatchObject({ outcome: 'findings', findings: 1 })
})

test('memory comes back as the last phase left it, and a run that fails leaves it as it was', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  const before = async () => {
    const { stdout } = await host.reeve(['facts', '--json'])
    return JSON.parse(JSON.parse(stdout)[0].data.value)
  }
  host.tell('watch', { memory: 'first' })
  await host.run('watch')
  expect(await before()).toBe(null)
  host.tell('watch', { memory: 'never kept', fail: 'no' })
  await host.run('watch')
  host.tell('watch', {})
  await host.run('watch')
  expect(await before()).toBe('first')
})

testWith({ programs: ['runuser'], root: true })('a plugin file of another user is refused', async () => {
  await using host = new ListerHost()
  host.lister({ grant: { list: [host.place] } })
  Bun.spawnSync(['chown', 'nobody', host.plugin])
  expect(readFileSync(host.plugin, 'utf8')).toBe(LISTER)
  expect(await host.reeve(['config', 'check'])).toMatchObject({ exitCode: 2 })
})
