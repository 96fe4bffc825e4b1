import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { Finding } from '../../../../agent/contract/mod.ts'
import { toSystemPath } from '../../../../agent/host/names.ts'
import { isRoot } from '../../../kit/ordinary-user.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

const ANA = 1000

function look(host: { root: string }, path: string): string {
  const { mode, uid, gid } = lstatSync(toSystemPath(host.root + path))
  return `${(mode & 0o7777).toString(8).padStart(4, '0')} ${uid}:${gid}`
}
const owner = `${process.getuid?.()}:${process.getgid?.()}`

describe('apply() by the policy', () => {
  test('apply() puts modes back, so that the next check finds nothing', async () => {
    using host = hostFixture()
    const config: ConfigInput = {
      rules: [{ path: '/srv/**', mode: { atMost: '0640' }, directoryMode: { atMost: '0750' } }],
    }
    for (const path of ['/srv/a', '/srv/d/b', '/srv/d/c\udcff']) host.make(path, 0o640)
    chmodSync(`${host.root}/srv/a`, 0o666)
    chmodSync(toSystemPath(`${host.root}/srv/d/c\udcff`), 0o4755)
    chmodSync(`${host.root}/srv/d`, 0o777)
    const { findings } = await host.check(config)
    expect(findings).toHaveLength(3)
    const report = await host.apply(config, findings)
    expect(report.findings).toEqual([])
    expect(report.coverage).toEqual({ examined: 3, skipped: 0 })
    expect(['/srv/a', '/srv/d', '/srv/d/b', '/srv/d/c\udcff'].map((path) => look(host, path))).toEqual([
      `0640 ${owner}`,
      `0750 ${owner}`,
      `0640 ${owner}`,
      `0640 ${owner}`,
    ])
    expect(tellAll(await host.check(config))).toEqual([])
  })

  test('apply() writes down what was there before, where nobody else can read it', async () => {
    using host = hostFixture()
    const config: ConfigInput = { rules: [{ path: '/srv/*', mode: { atMost: '0600' } }] }
    host.make('/srv/a\n', 0o644)
    const { findings } = await host.check(config)
    const report = await host.apply(config, findings)
    const path = '/state/repair-2027-01-02T03-04-05.678Z.jsonl'
    const bytes = readFileSync(host.root + path)
    expect(report.artifacts).toEqual([
      {
        kind: 'repair-journal',
        path,
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        data: { repairs: 1 },
      },
    ])
    const { ino, dev } = lstatSync(`${host.root}/srv/a\n`)
    const [uid, gid] = [process.getuid?.(), process.getgid?.()]
    expect(
      bytes
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { format: 'reeve-repair-journal', version: 1, at: '2027-01-02T03:04:05.678Z' },
      {
        path: '/srv/a\\x0a',
        type: 'file',
        device: dev,
        inode: ino,
        before: { mode: '0644', uid, gid },
        after: { mode: '0600', uid, gid },
      },
    ])
    expect(look(host, path)).toBe(`0600 ${owner}`)
  })

  test('apply() does only what the findings name, and judges it anew', async () => {
    using host = hostFixture()
    const config: ConfigInput = { rules: [{ path: '/srv/*', mode: { atMost: '0600' } }] }
    for (const name of ['a', 'b', 'c']) host.make(`/srv/${name}`, 0o644)
    const { findings } = await host.check(config)
    chmodSync(`${host.root}/srv/c`, 0o400)
    const forged: Finding[] = findings
      .filter(({ subject }) => subject !== '/srv/b')
      .map((finding) => ({ ...finding, evidence: { mode: '0644', wanted: '0777' }, summary: 'x' }))
    const elsewhere: Finding = {
      rule: 'mode-differs',
      subject: '/etc/passwd',
      severity: 'critical',
      summary: 'x',
      fixable: true,
    }
    const report = await host.apply(config, [...forged, elsewhere])
    expect(report.coverage?.examined).toBe(1)
    expect(['/srv/a', '/srv/b', '/srv/c', '/etc/passwd'].map((path) => look(host, path))).toEqual([
      `0600 ${owner}`,
      `0644 ${owner}`,
      `0400 ${owner}`,
      `0644 ${owner}`,
    ])
  })

  test('apply() widens nothing unless the rule says that it may', async () => {
    using host = hostFixture()
    host.make('/srv/a', 0o600)
    host.make('/srv/b', 0o604)
    const strict: ConfigInput = { rules: [{ path: '/srv/*', mode: '0640' }] }
    const { findings } = await host.check(strict)
    await host.apply(strict, findings)
    expect([look(host, '/srv/a'), look(host, '/srv/b')]).toEqual([`0600 ${owner}`, `0600 ${owner}`])
    expect(tellAll(await host.check(strict))).toEqual(['mode-differs /srv/a', 'mode-differs /srv/b'])
    const wide: ConfigInput = { rules: [{ path: '/srv/*', mode: { exact: '0640', mayWiden: true } }] }
    await host.apply(wide, (await host.check(wide)).findings)
    expect([look(host, '/srv/a'), look(host, '/srv/b')]).toEqual([`0640 ${owner}`, `0640 ${owner}`])
    expect(tellAll(await host.check(wide))).toEqual([])
  })

  test.skipIf(!isRoot)(
    'apply() puts owner and group back, of links too, and drops setuid on the way',
    async () => {
      using host = hostFixture()
      const config: ConfigInput = { rules: [{ path: '/srv/*', owner: ['root', 'ana'], group: 'shadow' }] }
      for (const name of ['a', 'b', 'su']) host.make(`/srv/${name}`, 0o640)
      chownSync(`${host.root}/srv/a`, 4711, 4711)
      chownSync(`${host.root}/srv/b`, ANA, 4711)
      chownSync(`${host.root}/srv/su`, 4711, 42)
      chmodSync(`${host.root}/srv/su`, 0o4755)
      symlinkSync('/etc/passwd', `${host.root}/srv/link`)
      lchownSync(`${host.root}/srv/link`, 4711, 42)
      const { findings } = await host.check(config)
      expect(tellAll({ findings })).toEqual([
        'owner-differs /srv/a',
        'group-differs /srv/a',
        'group-differs /srv/b',
        'owner-differs /srv/link',
        'owner-differs /srv/su',
      ])
      expect((await host.apply(config, findings)).findings).toEqual([])
      expect(
        ['/srv/a', '/srv/b', '/srv/su', '/srv/link', '/etc/passwd'].map((path) => look(host, path)),
      ).toEqual(['0640 0:42', '0640 1000:42', '0755 0:42', '0777 0:42', '0644 0:0'])
      expect(tellAll(await host.check(config))).toEqual([])
    },
  )

  test('apply() tells what it refuses, and does the rest', async () => {
    using host = hostFixture()
    const config: ConfigInput = {
      rules: [
        { path: '/srv/{shared,own}/*', mode: { atMost: '0600' } },
        { path: '/run/x/a', mode: { atMost: '0600' } },
      ],
    }
    host.make('/etc/victim', 0o644)
    host.make('/srv/own/b', 0o644)
    host.make('/real/a', 0o644)
    mkdirSync(`${host.root}/srv/shared`)
    mkdirSync(`${host.root}/run`)
    symlinkSync('../real', `${host.root}/run/x`)
    linkSync(`${host.root}/etc/victim`, `${host.root}/srv/shared/a`)
    chmodSync(`${host.root}/srv/shared`, 0o777)
    const { findings } = await host.check(config)
    expect(tellAll({ findings })).toEqual([
      'mode-differs /run/x/a',
      'mode-differs /srv/own/b',
      'mode-differs /srv/shared/a',
    ])
    const report = await host.apply(config, findings)
    expect(report.findings.map(({ rule, subject, summary }) => [rule, subject, summary])).toEqual([
      [
        'repair-refused',
        '/run/x/a',
        'Was not repaired: Cannot change the mode of "/run/x/a": "x" in it is a link or no directory',
      ],
      [
        'repair-refused',
        '/srv/shared/a',
        'Was not repaired: Cannot change the mode of "/srv/shared/a": it has 2 names (hard links), ' +
          'and users other than root can make names in its directory',
      ],
    ])
    expect([look(host, '/etc/victim'), look(host, '/real/a'), look(host, '/srv/own/b')]).toEqual([
      `0644 ${owner}`,
      `0644 ${owner}`,
      `0600 ${owner}`,
    ])
    expect(report.metrics).toMatchObject([{ name: 'repaired_entries', value: 1 }])
  })

  test('apply() leaves an entry of another type alone', async () => {
    using host = hostFixture()
    const config: ConfigInput = { rules: [{ path: '/srv/a', type: 'file', mode: { atMost: '0600' } }] }
    host.make('/srv/a', 0o644)
    const { findings } = await host.check(config)
    renameSync(`${host.root}/srv/a`, `${host.root}/srv/old`)
    mkdirSync(`${host.root}/srv/a`, { mode: 0o755 })
    const report = await host.apply(config, findings)
    expect(report).toMatchObject({ findings: [], coverage: { examined: 0 } })
    expect(look(host, '/srv/a')).toBe(`0755 ${owner}`)
    expect(readdirSync(`${host.root}/state`)).toEqual([])
  })

  test('apply() keeps the newest 200 journals', async () => {
    using host = hostFixture()
    const config: ConfigInput = { rules: [{ path: '/srv/a', mode: { atMost: '0600' } }] }
    host.make('/srv/a', 0o644)
    for (let index = 0; index < 205; index++) {
      writeFileSync(
        `${host.root}/state/repair-2026-01-01T00-00-00.${String(index).padStart(3, '0')}Z.jsonl`,
        '',
      )
    }
    writeFileSync(`${host.root}/state/other`, '')
    await host.apply(config, (await host.check(config)).findings)
    const names = readdirSync(`${host.root}/state`)
    const journals = names.filter((name) => name.endsWith('.jsonl')).sort()
    expect(journals).toHaveLength(200)
    expect(journals.at(-1)).toBe('repair-2027-01-02T03-04-05.678Z.jsonl')
    expect(names).toContain('other')
    // How it ended goes with each; those that cannot be read have no end.
    expect(names.filter((name) => name.endsWith('.outcome.json'))).toHaveLength(1)
  })
})

describe('apply() by a baseline', () => {
  const config: ConfigInput = { trees: [{ path: '/srv', repair: true }] }

  test('apply() puts back what was changed, and adds no permission', async () => {
    using host = hostFixture()
    for (const name of ['wider', 'narrower', 'gone']) host.make(`/srv/${name}`, 0o640)
    await host.check(config)
    chmodSync(`${host.root}/srv/wider`, 0o666)
    chmodSync(`${host.root}/srv/narrower`, 0o600)
    host.make('/srv/new', 0o644)
    const { findings } = await host.check(config)
    expect(findings.map(({ subject, fixable }) => [subject, fixable])).toEqual([
      ['/srv/narrower', false],
      ['/srv/wider', true],
      ['/srv/new', undefined],
    ])
    await host.apply(config, findings)
    expect(['/srv/wider', '/srv/narrower', '/srv/new'].map((path) => look(host, path))).toEqual([
      `0640 ${owner}`,
      `0600 ${owner}`,
      `0644 ${owner}`,
    ])
    expect(tellAll(await host.check(config))).toEqual(['changed /srv/narrower', 'new /srv/new'])
  })

  test.skipIf(!isRoot)('apply() puts owners back, and lets the policy go before', async () => {
    using host = hostFixture()
    const both: ConfigInput = { ...config, rules: [{ path: '/srv/a', owner: 'ana' }] }
    host.make('/srv/a', 0o640)
    host.make('/srv/b', 0o640)
    await host.check(both)
    for (const name of ['a', 'b']) {
      chownSync(`${host.root}/srv/${name}`, 4711, 4711)
      chmodSync(`${host.root}/srv/${name}`, 0o666)
    }
    await host.apply(both, (await host.check(both)).findings)
    expect([look(host, '/srv/a'), look(host, '/srv/b')]).toEqual(['0640 1000:0', '0640 0:0'])
    expect(tellAll(await host.check(both))).toEqual([])
  })

  test('apply() leaves alone a tree that is only watched', async () => {
    using host = hostFixture()
    const watched: ConfigInput = { trees: [{ path: '/srv' }] }
    host.make('/srv/a', 0o640)
    await host.check(watched)
    chmodSync(`${host.root}/srv/a`, 0o666)
    const { findings } = await host.check(watched)
    expect(findings.map(({ fixable }) => fixable)).toEqual([false])
    await host.apply(
      watched,
      findings.map((finding) => ({ ...finding, fixable: true })),
    )
    expect(look(host, '/srv/a')).toBe(`0666 ${owner}`)
  })
})
