import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { stringify } from 'yaml'
import { testWith } from '../kit/needs.ts'
import { Workspace } from '../kit/workspace.ts'

setDefaultTimeout(60_000)

const PROFILE = {
  name: 'mine',
  title: 'My own checklist',
  parameters: { dir: { means: 'Directory to look at' } },
  jobs: {
    modes: {
      plugin: 'permission-drift',
      schedule: '@daily',
      config: {
        rules: [
          { path: '$'.concat('{dir}'), type: 'directory', mode: '0700' },
          { path: '$'.concat('{dir}/*'), type: 'file', mode: '0600' },
        ],
      },
    },
  },
  items: [
    {
      id: 'a',
      title: 'The directory is private',
      checks: [{ job: 'modes', subjects: ['$'.concat('{dir}')] }],
    },
    {
      id: 'b',
      title: 'Its files are private',
      checks: [{ job: 'modes', subjects: ['$'.concat('{dir}/**')] }],
    },
  ],
}

function hostWithProfile(uses: object[]) {
  const host = new Workspace()
  const file = host.write('data/file', 'x')
  const dir = file.slice(0, -'/file'.length)
  host.write('etc/profiles.d/mine.yaml', stringify(PROFILE))
  host.configure({ profiles: uses.map((use) => ({ dir, ...use })) })
  return { host, dir, file }
}

test('reeve audit judges each item, names what is wrong and how to mend it', async () => {
  const { host, file } = hostWithProfile([{ use: 'mine' }])
  await using _ = host
  const before = await host.reeve(['audit', '--stored'])
  expect([before.exitCode, before.stderr]).toEqual([2, expect.stringContaining('Nothing has run yet')])
  const good = await host.reeve(['audit'])
  expect([good.exitCode, good.stderr]).toEqual([0, ''])
  expect(good.stdout).toContain('2 of 2 items are right')
  chmodSync(file, 0o644)
  const bad = await host.reeve(['audit', 'mine'])
  expect(bad.exitCode).toBe(3)
  expect(bad.stdout).toMatch(/pass +a +The directory is private/)
  expect(bad.stdout).toMatch(/FAIL +b +Its files are private/)
  expect(bad.stdout).toContain(`chmod 0600 -- ${file}`)
  expect(bad.stdout).toContain('1 of 2 items are right (1 fail)')
  const [json] = JSON.parse((await host.reeve(['audit', '--stored', '--json'])).stdout)
  expect(json).toMatchObject({ score: { passed: 1, total: 2, verdicts: { fail: 1 } } })
})

test('the jobs of a profile are jobs: changed by the configuration, run by name, served by the API', async () => {
  const { host } = hostWithProfile([{ use: 'mine', as: 'data', jobs: { modes: { schedule: '@hourly' } } }])
  await using _ = host
  const [job] = JSON.parse((await host.reeve(['jobs', '--json'])).stdout)
  expect(job).toMatchObject({ name: 'data-modes', schedule: '@hourly', mode: 'observe' })
  expect((await host.reeve(['run', 'data-modes'])).exitCode).toBe(0)
  await host.daemon()
  const response = await fetch('http://localhost/v1/audits', { unix: host.socket })
  expect(await response.json()).toMatchObject({ items: [{ name: 'data', score: { passed: 2, total: 2 } }] })
})

test('a profile can be tried without being configured, and leaves nothing', async () => {
  const { host, dir } = hostWithProfile([])
  await using _ = host
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('reeve-audit-'))
  const before = left()
  const tried = await host.reeve(['audit', 'mine', '--set', `dir=${dir}`])
  expect([tried.exitCode, tried.stderr]).toEqual([0, ''])
  expect(tried.stdout).toContain('2 of 2 items are right')
  expect(left().filter((name) => !before.includes(name))).toEqual([])
  const missing = await host.reeve(['audit', 'mine'])
  expect([missing.exitCode, missing.stderr]).toEqual([
    2,
    expect.stringContaining('it is missing: Directory to look at'),
  ])
})

test('an item is blind, not right, when its job could not look', async () => {
  const { host, dir } = hostWithProfile([{ use: 'mine' }])
  await using _ = host
  expect((await host.reeve(['audit'])).exitCode).toBe(0)
  host.configure({ profiles: [{ use: 'mine', dir, jobs: { modes: { enabled: false } } }] })
  const off = await host.reeve(['audit'])
  expect(off.exitCode).toBe(4)
  expect(off.stdout).toContain('0 of 2 items are right (2 blind)')
  expect(off.stdout).toContain('it is switched off')
})

test('every mistake in a profile is told with its place', async () => {
  const { host } = hostWithProfile([{ use: 'mine' }])
  await using _ = host
  const says = async (file: string, text: string) => {
    writeFileSync(`${host.path}/etc/${file}`, text)
    return (await host.reeve(['config', 'check'])).stderr
  }
  const profile = stringify(PROFILE)
  expect(await says('profiles.d/mine.yaml', profile.replace('job: modes', 'job: mods'))).toMatch(
    /mine\.yaml:\d+:\d+: items\.0\.checks\.0\.job: the profile has no job "mods", did you mean "modes"\?/,
  )
  expect(await says('profiles.d/mine.yaml', profile.replace('rules:', 'ruls:'))).toMatch(
    /mine\.yaml:\d+:\d+: jobs\.mine-modes\.config\.ruls: unknown key/,
  )
  expect(
    await says(
      'profiles.d/mine.yaml',
      profile.replace('subjects:', 'rules: [mode-difers]\n        subjects:'),
    ),
  ).toMatch(
    /item a of mine: the plugin "permission-drift" has no rule "mode-difers", did you mean "mode-differs"\?/,
  )
})

test('reeve report writes every format, whole and private, and ends like the status', async () => {
  const { host, file } = hostWithProfile([{ use: 'mine' }])
  await using _ = host
  chmodSync(file, 0o644)
  expect((await host.reeve(['report'])).exitCode).toBe(4)
  await host.reeve(['audit'])
  for (const format of ['text', 'html', 'markdown', 'json', 'sarif', 'junit', 'ocsf']) {
    const output = `${host.path}/report.${format}`
    const written = await host.reeve(['report', '--format', format, '--output', output])
    expect([format, written.exitCode, written.stderr]).toEqual([format, 3, ''])
    expect(statSync(output).mode & 0o777).toBe(0o600)
    expect(readFileSync(output, 'utf8')).toContain('0644')
  }
  const mistake = await host.reeve(['report', '--format', 'htm'])
  expect([mistake.exitCode, mistake.stderr]).toEqual([2, expect.stringContaining('did you mean "html"?')])
})

testWith({ root: true })(
  'the baseline judges this very host, and is blind only where it may not look',
  async () => {
    await using host = new Workspace()
    const audited = await host.reeve(['audit', 'baseline', '--json'])
    const [baseline] = JSON.parse(audited.stdout)
    expect(audited.stderr).toBe('')
    const blind = baseline.items.filter((item: { verdict: string }) => item.verdict === 'blind')
    // A container takes rights away from its root, too.
    for (const { id, reasons } of blind) {
      for (const reason of reasons)
        expect([id, reason]).toEqual([id, expect.stringContaining('CAP_SYS_PTRACE')])
    }
    const verdicts = new Map(
      baseline.items.map((item: { id: string; verdict: string }) => [item.id, item.verdict]),
    )
    // Nobody has said so on a host that is new to it.
    expect([verdicts.get('access'), verdicts.get('restore')]).toEqual(['fail', 'fail'])
    expect(['pass', 'fail']).toContain(verdicts.get('ports') as string)
  },
)
