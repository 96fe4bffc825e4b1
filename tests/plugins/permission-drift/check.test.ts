import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { toSystemPath } from '../../../agent/host/names.ts'
import drift from '../../../plugins/permission-drift/plugin.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { type ConfigInput, hostFixture, tellAll } from './fixture.ts'

const me = process.getuid?.() ?? 0

describe('check() by the policy', () => {
  test('check() says nothing when all is as the policy wants it', async () => {
    using host = hostFixture()
    host.make('/etc/shadow', 0o640)
    const report = await host.check({
      rules: [{ path: '/etc/shadow', type: 'file', owner: me, mode: '0640' }],
    })
    expect(report).toMatchObject({ findings: [], blind: [], coverage: { examined: 1, skipped: 0 } })
  })

  test('check() tells every deviation, with evidence and the command that puts it right', async () => {
    using host = hostFixture()
    host.make('/etc/my file', 0o666)
    chmodSync(`${host.root}/etc/my file`, 0o666)
    const report = await host.check({ rules: [{ path: '/etc/my file', mode: '0640' }] })
    expect(report.findings).toEqual([
      {
        rule: 'mode-differs',
        subject: '/etc/my file',
        severity: 'critical',
        summary: 'Has mode 0666, wanted 0640',
        remedy: "chmod 0640 -- '/etc/my file'",
        evidence: { mode: '0666', wanted: '0640', exact: true },
        fixable: true,
      },
    ])
  })

  test('check() judges each entry by all the rules that match it, the later before the earlier', async () => {
    using host = hostFixture()
    for (const name of ['config', 'id_ed25519', 'id_ed25519.pub', 'known_hosts']) {
      host.make(`/home/ana/.ssh/${name}`, 0o644)
    }
    const config: ConfigInput = {
      rules: [
        { path: '/home/*/.ssh', type: 'directory', mode: { atMost: '0700' } },
        { path: '/home/*/.ssh/*', mode: { atMost: '0644' } },
        { path: '/home/*/.ssh/{config,id_*}', mode: { atMost: '0600' } },
        { path: '/home/*/.ssh/*.pub', mode: { atMost: '0644' } },
      ],
    }
    expect(tellAll(await host.check(config))).toEqual([
      'mode-differs /home/ana/.ssh',
      'mode-differs /home/ana/.ssh/config',
      'mode-differs /home/ana/.ssh/id_ed25519',
    ])
  })

  test('check() tells what is missing only where it may not be', async () => {
    using host = hostFixture()
    const report = await host.check({
      rules: [
        { path: '/etc/a' },
        { path: '/etc/b', missing: 'ok' },
        { path: '/etc/c', missing: 'finding', severity: 'critical' },
        { path: '/etc/d' },
        { path: '/etc/d', missing: 'ok' },
        { path: '/srv/*' },
        { path: '/opt/*', noMatch: 'finding' },
      ],
    })
    expect(report.findings.map(({ rule, subject, severity }) => [rule, subject, severity])).toEqual([
      ['missing', '/etc/a', 'warning'],
      ['missing', '/etc/c', 'critical'],
      ['no-match', '/opt/*', 'warning'],
    ])
  })

  test('check() is blind, and does not call missing, what it may not look at', async () => {
    using host = hostFixture()
    host.make('/closed/secret')
    chmodSync(`${host.root}/closed`, 0)
    chmodSync(host.root, 0o755)
    const config: ConfigInput = {
      rules: [
        { path: '/closed/secret', mode: '0600' },
        { path: '/closed/*', noMatch: 'finding' },
        { path: '/gone' },
      ],
    }
    const report = await asOrdinaryUser(() => host.check(config))
    expect(tellAll(report)).toEqual(['missing /gone'])
    expect(report.blind).toEqual([
      { subject: '/closed', reason: 'permission denied' },
      { subject: '/closed/secret', reason: 'permission denied' },
    ])
    chmodSync(`${host.root}/closed`, 0o700)
  })

  test('check() is blind on an owner whose name this host does not know, once there is something to judge', async () => {
    using host = hostFixture()
    host.make('/etc/here', 0o666)
    const rule = (path: string) => ({
      path,
      missing: 'ok' as const,
      owner: 'nobody-here',
      mode: { atMost: '0600' },
    })
    const report = await host.check({ rules: [rule('/etc/here'), rule('/etc/gone')] })
    expect(tellAll(report)).toEqual(['mode-differs /etc/here'])
    expect(report.blind).toEqual([
      { subject: '/etc/here', reason: 'there is no user "nobody-here" on this host' },
    ])
  })

  test('check() tells a link in the place of a file', async () => {
    using host = hostFixture()
    host.make('/tmp/planted', 0o600)
    symlinkSync('/tmp/planted', `${host.root}/etc/key`)
    const report = await host.check({ rules: [{ path: '/etc/key', mode: '0600' }] })
    expect(report.findings).toMatchObject([
      { rule: 'type-differs', severity: 'critical', summary: 'Is a symlink, wanted a file or directory' },
    ])
    expect(report.findings[0]?.fixable).toBeUndefined()
  })

  test.each([
    ['others may write', '0644', 0o646, 'critical'],
    ['others may read', '0640', 0o644, 'warning'],
    ['it is setuid', '0755', 0o4755, 'critical'],
    ['something is lacking', '0644', 0o600, 'warning'],
  ])('check() weighs a mode: when %s', async (_, mode, found, severity) => {
    using host = hostFixture()
    host.make('/etc/a')
    chmodSync(`${host.root}/etc/a`, found)
    const report = await host.check({ rules: [{ path: '/etc/a', mode }] })
    expect(report.findings.map((finding): string => finding.severity)).toEqual([severity])
  })

  test('check() says that it can put right only what it may', async () => {
    using host = hostFixture()
    host.make('/etc/narrow', 0o600)
    const fixable = async (mode: NonNullable<ConfigInput['rules']>[number]['mode']) =>
      (await host.check({ rules: [{ path: '/etc/narrow', mode }] })).findings.map(
        (finding) => finding.fixable,
      )
    expect(await fixable('0640')).toEqual([false])
    expect(await fixable({ exact: '0640', mayWiden: true })).toEqual([true])
    expect(await fixable({ atMost: '0640' })).toEqual([])
    expect(await fixable({ atMost: '0400' })).toEqual([true])
  })

  test('check() shows names that are no UTF-8, or full of signs, so that each is its own', async () => {
    using host = hostFixture()
    for (const name of ['a\udcff', 'a\udcfe', 'a\n', '\x1b[31m']) host.make(`/srv/${name}`, 0o644)
    const report = await host.check({ rules: [{ path: '/srv/*', mode: { atMost: '0600' } }] })
    expect(report.findings.map(({ subject, remedy }) => [subject, remedy])).toEqual([
      ['/srv/\\x1b[31m', "chmod 0600 -- $'/srv/\\x1b[31m'"],
      ['/srv/a\\x0a', "chmod 0600 -- $'/srv/a\\x0a'"],
      ['/srv/a\\xfe', "chmod 0600 -- $'/srv/a\\xfe'"],
      ['/srv/a\\xff', "chmod 0600 -- $'/srv/a\\xff'"],
    ])
  })
})

describe('check() by a baseline', () => {
  const config: ConfigInput = { trees: [{ path: '/srv' }] }

  function hostWithTree() {
    const host = hostFixture()
    host.make('/srv/app/run.sh', 0o755)
    host.make('/srv/app/data/a', 0o600)
    host.make('/srv/app/data/b', 0o600)
    return host
  }

  test('check() makes the baseline on its first run, says so, and finds nothing', async () => {
    using host = hostWithTree()
    const report = await host.check(config)
    expect(report).toMatchObject({ findings: [], blind: [], coverage: { examined: 6, skipped: 0 } })
    expect(report.facts).toEqual([
      {
        kind: 'baseline',
        subject: '/srv',
        data: { generation: 1, entries: 6, madeAt: '2027-01-02T03:04:05.678Z' },
      },
    ])
    const made = (found: typeof report) => found.metrics?.find(({ name }) => name === 'baseline_made')?.value
    expect(made(report)).toBe(1)
    const again = await host.check(config)
    expect(again).toMatchObject({ findings: [], facts: report.facts, coverage: { examined: 6, skipped: 0 } })
    expect(made(again)).toBe(0)
    const [file, ...others] = readdirSync(`${host.root}/state`)
    expect(others).toEqual([file?.replace('baseline-', 'history-').concat('.jsonl') ?? ''])
    expect(statSync(`${host.root}/state/${file}`).mode & 0o777).toBe(0o600)
  })

  test('check() tells what is new, gone and changed, and goes on telling it', async () => {
    using host = hostWithTree()
    await host.check(config)
    rmSync(`${host.root}/srv/app/data/a`)
    host.make('/srv/app/data/c')
    chmodSync(`${host.root}/srv/app/data/b`, 0o640)
    const expected = ['changed /srv/app/data/b', 'removed /srv/app/data/a', 'new /srv/app/data/c']
    const report = await host.check(config)
    expect(tellAll(report)).toEqual(expected)
    expect(report.findings[0]).toMatchObject({
      severity: 'warning',
      summary: 'Changed since the baseline: mode 0600 to 0640',
      remedy:
        'Put it back: chmod 0600 -- /srv/app/data/b; if it is meant, accept it: ' +
        'reeve baseline accept --job permission-drift /srv/app/data/b',
      evidence: { mode: '0640', modeBefore: '0600' },
      fixable: false,
    })
    expect(tellAll(await host.check(config))).toEqual(expected)
  })

  test('check() calls critical what is dangerous', async () => {
    using host = hostWithTree()
    await host.check(config)
    chmodSync(`${host.root}/srv/app/run.sh`, 0o4755)
    chmodSync(`${host.root}/srv/app/data/a`, 0o602)
    rmSync(`${host.root}/srv/app/data/b`)
    mkdirSync(`${host.root}/srv/app/data/b`)
    host.make('/srv/new/deep/su')
    chmodSync(`${host.root}/srv/new/deep/su`, 0o4755)
    const report = await host.check(config)
    expect(report.findings.map(({ subject, severity }) => [subject, severity])).toEqual([
      ['/srv/app/data/a', 'critical'],
      ['/srv/app/data/b', 'critical'],
      ['/srv/app/run.sh', 'critical'],
      ['/srv/new', 'warning'],
      ['/srv/new/deep/su', 'critical'],
    ])
    expect(report.findings.at(-2)).toMatchObject({
      summary: 'Is new since the baseline (directory with 2 entries below)',
      evidence: { below: 2 },
    })
  })

  test('check() leaves out what is excluded, and its own state', async () => {
    using host = hostWithTree()
    const all: ConfigInput = { trees: [{ path: '/', exclude: ['/srv/app/data', '**/*.swp'] }] }
    const first = await host.check(all)
    expect(first.coverage).toMatchObject({ skipped: 2 })
    host.make('/srv/app/data/new')
    host.make('/srv/x.swp')
    writeFileSync(`${host.root}/state/other`, '')
    expect(tellAll(await host.check(all))).toEqual([])
    // What is excluded only now is not gone; what no longer is excluded is new.
    expect(tellAll(await host.check({ trees: [{ path: '/', exclude: ['/srv/app'] }] }))).toEqual([
      'new /srv/x.swp',
    ])
  })

  test('check() does not call gone what it could not look at', async () => {
    using host = hostWithTree()
    chmodSync(host.root, 0o755)
    await host.check(config)
    chmodSync(`${host.root}/srv/app/data`, 0)
    if (isRoot) chmodSync(`${host.root}/state`, 0o777)
    for (const name of readdirSync(`${host.root}/state`)) chmodSync(`${host.root}/state/${name}`, 0o644)
    const report = await asOrdinaryUser(() => host.check(config))
    expect(tellAll(report)).toEqual(['changed /srv/app/data'])
    expect(report.blind).toEqual([{ subject: '/srv/app/data', reason: 'permission denied' }])
    expect(report.metrics?.find(({ name }) => name === 'unseen_entries')?.value).toBe(2)
    chmodSync(`${host.root}/srv/app/data`, 0o755)
  })

  test('check() is blind on a tree that is not there or is a link, and makes no baseline of it', async () => {
    using host = hostFixture()
    symlinkSync('etc', `${host.root}/link`)
    const report = await host.check({ trees: [{ path: '/none' }, { path: '/link' }] })
    expect(report.blind).toEqual([
      { subject: '/none', reason: 'no such file or directory' },
      { subject: '/link', reason: 'it is a symbolic link: name the directory it leads to' },
    ])
    expect(readdirSync(`${host.root}/state`)).toEqual([])
    expect(report.memory).toEqual({ baselines: {} })
  })

  test('check() tells a tree that is gone altogether', async () => {
    using host = hostWithTree()
    await host.check(config)
    rmSync(`${host.root}/srv`, { recursive: true })
    const report = await host.check(config)
    expect(report.findings).toMatchObject([{ rule: 'removed', subject: '/srv', evidence: { below: 5 } }])
    expect(report.blind).toEqual([])
  })

  test('check() leaves to the policy what the policy speaks of', async () => {
    using host = hostWithTree()
    const both: ConfigInput = { ...config, rules: [{ path: '/srv/app/data/*', mode: { atMost: '0600' } }] }
    chmodSync(`${host.root}/srv/app/data/a`, 0o640)
    expect(tellAll(await host.check(both))).toEqual(['mode-differs /srv/app/data/a'])
    chmodSync(`${host.root}/srv/app/data/a`, 0o600)
    expect(tellAll(await host.check(both))).toEqual([])
    expect(tellAll(await host.check(config))).toEqual(['changed /srv/app/data/a'])
  })

  test('check() bounds its findings, and counts the rest', async () => {
    using host = hostWithTree()
    const few: ConfigInput = { ...config, maxFindings: 10 }
    await host.check(few)
    for (let index = 0; index < 50; index++) host.make(`/srv/app/new-${index}`)
    const report = await host.check(few)
    expect(report.findings).toHaveLength(11)
    expect(report.findings[0]).toMatchObject({
      rule: 'more-findings',
      subject: '/srv',
      summary: '40 more findings than are listed: 40 new',
    })
  })
})

describe('check() with a baseline that is not as it was left', () => {
  const config: ConfigInput = { trees: [{ path: '/srv' }] }
  async function prepared() {
    const host = hostFixture()
    host.make('/srv/a', 0o600)
    await host.check(config)
    const file = `${host.root}/state/${readdirSync(`${host.root}/state`)[0]}`
    return { host, file }
  }
  const expectLost = async (host: ReturnType<typeof hostFixture>, rule: string, reason: string) => {
    const before = host.memory()
    const report = await host.check(config)
    expect(report.findings).toMatchObject([{ rule, subject: '/srv', severity: 'critical' }])
    expect(report.findings[0]?.summary).toContain(reason)
    expect(report.findings[0]?.remedy).toContain('reeve baseline accept')
    expect(report.blind?.[0]?.subject).toBe('/srv')
    expect(report.memory).toEqual(before ?? null)
  }

  test('check() finds that it is missing, and does not begin anew', async () => {
    const { host, file } = await prepared()
    using _ = host
    rmSync(file)
    await expectLost(host, 'baseline-missing', 'is gone')
    await expectLost(host, 'baseline-missing', 'is gone')
    expect(existsSync(file)).toBe(false)
  })

  test('check() finds that it was changed', async () => {
    const { host, file } = await prepared()
    using _ = host
    writeFileSync(file, readFileSync(file, 'latin1').replace('"by":"reeve"', '"by":"peeve"'), 'latin1')
    await expectLost(host, 'baseline-tampered', 'its contents were changed')
  })

  test('check() finds that it is an older one', async () => {
    const { host, file } = await prepared()
    using _ = host
    host.remember({ baselines: { '/srv': { generation: 2, fingerprint: 'x' } } })
    await expectLost(host, 'baseline-tampered', 'generation 2 was seen already')
    expect(readFileSync(file, 'utf8')).toContain('"generation":1')
  })

  test('check() finds that it is the one of another tree', async () => {
    const { host, file } = await prepared()
    using _ = host
    await host.check({ trees: [{ path: '/etc' }, { path: '/srv' }] })
    const other = readdirSync(`${host.root}/state`).find((name) => name.startsWith('baseline-etc'))
    rmSync(file)
    linkSync(`${host.root}/state/${other}`, file)
    await expectLost(
      { ...host, memory: () => ({ baselines: { '/srv': memoryOf(host, '/srv') } }) },
      'baseline-tampered',
      'it is the one of "/etc"',
    )
  })

  test('check() goes on with it when only the memory was lost', async () => {
    const { host } = await prepared()
    using _ = host
    host.remember(undefined)
    chmodSync(`${host.root}/srv/a`, 0o640)
    expect(tellAll(await host.check(config))).toEqual(['changed /srv/a'])
  })

  test('check() leaves no baseline when the run is ended while it is made', async () => {
    using directory = temporaryDirectory()
    const abort = new AbortController()
    const run = { stateDir: directory.path, signal: abort.signal }
    setImmediate(() => abort.abort(new Error('the run was ended')))
    const plugin = pluginUnderTest(drift, { trees: [{ path: '/usr' }] }, run)
    expect(await plugin.check().catch(String)).toBe('Error: the run was ended')
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('check() takes no unfinished file of a killed run for a baseline', async () => {
    const { host, file } = await prepared()
    using _ = host
    rmSync(file)
    rmSync(file.replace('/baseline-', '/history-').concat('.jsonl'))
    const [old, young] = ['.reeve-0123456789ab.tmp', '.reeve-ba9876543210.tmp']
    for (const name of [old, young]) writeFileSync(`${host.root}/state/${name}`, 'half a base')
    utimesSync(`${host.root}/state/${old}`, 0, 0)
    const now = new Date('2027-01-02T03:00:00Z')
    utimesSync(`${host.root}/state/${young}`, now, now)
    host.remember(undefined)
    expect(tellAll(await host.check(config))).toEqual([])
    expect(readdirSync(`${host.root}/state`).sort().slice(0, 2)).toEqual([young, file.replace(/.*\//, '')])
    expect(tellAll(await host.check(config))).toEqual([])
  })
})

function memoryOf(host: ReturnType<typeof hostFixture>, tree: string) {
  const memory = host.memory() as { baselines: Record<string, { generation: number; fingerprint: string }> }
  return memory.baselines[tree] ?? { generation: 0, fingerprint: '' }
}

test('check() changes nothing on the host, and twice gives the same', async () => {
  using host = hostFixture()
  host.make('/srv/a', 0o666)
  host.make('/srv/b\udcff', 0o666)
  const config: ConfigInput = {
    rules: [{ path: '/srv/*', mode: '0600' }],
    trees: [{ path: '/etc' }, { path: '/srv' }],
  }
  await host.check(config)
  const look = () =>
    Bun.spawnSync([
      'find',
      host.root,
      '-path',
      '*/state',
      '-prune',
      '-o',
      '-printf',
      '%p %m %u %g %C@ %T@ %i\n',
    ]).stdout.toString('latin1')
  const before = look()
  const [first, second] = [await host.check(config), await host.check(config)]
  expect(look()).toBe(before)
  expect({ ...second, metrics: [] }).toEqual({ ...first, metrics: [] })
  renameSync(toSystemPath(`${host.root}/srv/b\udcff`), `${host.root}/srv/c`)
  expect(look()).not.toBe(before)
})
