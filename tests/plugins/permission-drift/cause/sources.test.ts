import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type { Report } from '../../../../agent/contract/mod.ts'
import { parseTmpfiles } from '../../../../plugins/permission-drift/cause/tmpfiles.ts'
import { testWith } from '../../../kit/needs.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

setDefaultTimeout(60_000)

const ATTRIBUTES = ['mode', 'owner', 'group', 'size', 'content', 'target'] as const

/** A fixture whose clock is the real one: times of files are evidence. */
function realTime() {
  const host = hostFixture()
  host.wait(Date.now() - host.now().getTime())
  return host
}

const causesOf = (host: { root: string }): string[] =>
  readdirSync(`${host.root}/state`)
    .filter((name) => name.includes('history'))
    .flatMap((name) => readFileSync(`${host.root}/state/${name}`, 'utf8').trim().split('\n'))
    .flatMap((line) => Object.keys(JSON.parse(line).causes ?? {}))

describe('change windows', () => {
  const config: ConfigInput = { trees: [{ path: '/srv', attributes: [...ATTRIBUTES] }] }

  test('what changes while a window is open is accepted with its reason, what comes later is told', async () => {
    using host = realTime()
    host.make('/srv/a', 0o644, 'x')
    await host.check(config)
    const window = (positionals: string[], values = {}) =>
      host.command(config, 'window', { positionals, values })
    host.wait(Date.now() - host.now().getTime() - 5)
    await window(['open'], { reason: 'new release', for: '30m' })
    expect(window(['open'], { reason: 'again' })).rejects.toThrow('One is open already')
    writeFileSync(`${host.root}/srv/a`, 'changed')
    host.make('/srv/b', 0o666)
    host.wait(Date.now() - host.now().getTime() + 50)
    await window(['close'])
    expect(tellAll(await host.check(config))).toEqual([])
    expect(causesOf(host)).toEqual([expect.stringMatching(/^change window: new release \(.+\)$/)])
    await Bun.sleep(100) // the file system's clock has to pass the end of the window
    chmodSync(`${host.root}/srv/b`, 0o777)
    host.wait(1000)
    expect(tellAll(await host.check(config))).toEqual(['changed /srv/b'])
    expect((await window(['list'])).text).toContain('new release')
  })

  test('a window that somebody else wrote stops the check instead of explaining anything', async () => {
    using host = realTime()
    host.make('/srv/a')
    await host.check(config)
    await host.command(config, 'window', { positionals: ['open'], values: { reason: 'mine' } })
    const file = `${host.root}/state/windows.json`
    writeFileSync(file, readFileSync(file, 'utf8').replace('mine', 'yours'))
    expect(host.check(config)).rejects.toThrow('it was not made with the key of this host')
  })

  test('window refuses what it does not understand', async () => {
    using host = realTime()
    const window = (positionals: string[], values = {}) =>
      host.command(config, 'window', { positionals, values })
    expect(window(['open'])).rejects.toThrow('Say why')
    expect(window(['open'], { reason: 'x', for: '8d' })).rejects.toThrow('at most 7d')
    expect(window(['close'])).rejects.toThrow('There is no open window')
    expect(window(['shut'])).rejects.toThrow('wanted open, close or list')
  })

  test('windows of the configuration: once, and by a schedule', async () => {
    for (const [windows, expected] of [
      [[{ from: '2020-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z', reason: 'x' }], []],
      [[{ from: '2020-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z', reason: 'x' }], ['changed /srv/a']],
      [[{ schedule: '* * * * *', for: '2m', reason: 'always' }], []],
      [[{ schedule: '0 0 1 1 *', for: '2m', reason: 'never' }], ['changed /srv/a']],
    ] as [ConfigInput['windows'], string[]][]) {
      using host = realTime()
      host.make('/srv/a', 0o644)
      await host.check({ ...config, windows })
      chmodSync(`${host.root}/srv/a`, 0o666)
      host.wait(1000)
      expect(tellAll(await host.check({ ...config, windows }))).toEqual(expected)
    }
  })
})

describe('tmpfiles.d', () => {
  test('parseTmpfiles() reads types, modes, owners and ages, and leaves out specifiers', () => {
    const lines = parseTmpfiles(
      '# x\nd! /run/a 0755 root root 10d -\nL+ /etc/mtab - - - - ../proc/self/mounts\nf /run/%b 0644\nz "/a b" ~0640 - adm\nnonsense\n',
      'x.conf',
    )
    expect(
      lines.map(({ type, path, mode, isMasked, user, group, ageMs, argument, source }) => [
        type,
        path,
        mode,
        isMasked,
        user,
        group,
        ageMs,
        argument,
        source,
      ]),
    ).toEqual([
      ['d', '/run/a', 0o755, false, 'root', 'root', 864_000_000, '-', 'x.conf:2'],
      [
        'L',
        '/etc/mtab',
        undefined,
        false,
        undefined,
        undefined,
        undefined,
        '../proc/self/mounts',
        'x.conf:3',
      ],
      ['z', '/a b', 0o640, true, undefined, 'adm', undefined, '', 'x.conf:5'],
    ])
  })

  test('what a line makes, adjusts and removes is accepted; what is not as it says is told', async () => {
    using host = realTime()
    const owner = `${process.getuid?.()} ${process.getgid?.()}`
    const old = Date.now() / 1000 - 90_000
    mkdirSync(`${host.root}/srv/cache`, { recursive: true })
    host.make('/srv/cache/old')
    utimesSync(`${host.root}/srv/cache/old`, old, old)
    host.make('/srv/cache/young')
    host.make('/srv/shared', 0o666)
    host.make(
      '/etc/tmpfiles.d/x.conf',
      0o644,
      `d /srv/made 0750 ${owner}\nd /srv/wide 0750 ${owner}\nL /srv/link - - - - made\nL /srv/astray - - - - made\n` +
        `z /srv/sh* 0640\ne /srv/cache - - - 1d\n`,
    )
    const config: ConfigInput = { trees: [{ path: '/srv', attributes: [...ATTRIBUTES, 'mtime'] }] }
    await host.check(config)
    mkdirSync(`${host.root}/srv/made`, { mode: 0o750 })
    mkdirSync(`${host.root}/srv/wide`)
    chmodSync(`${host.root}/srv/wide`, 0o777)
    symlinkSync('made', `${host.root}/srv/link`)
    symlinkSync('/tmp/evil', `${host.root}/srv/astray`)
    chmodSync(`${host.root}/srv/shared`, 0o640)
    unlinkSync(`${host.root}/srv/cache/old`)
    unlinkSync(`${host.root}/srv/cache/young`)
    const told = tellAll(await host.check(config)).filter((line) => !/^changed \/srv(\/cache)?$/.test(line))
    expect(told.toSorted()).toEqual(['new /srv/astray', 'new /srv/wide', 'removed /srv/cache/young'])
    expect(causesOf(host).toSorted()[0]).toStartWith('systemd-tmpfiles: /etc/tmpfiles.d/x.conf:')
  })
})

/** A certificate authority of its own, by the real openssl. */
function authority(directory: string, name: string) {
  const run = (...args: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(['openssl', ...args], { cwd: directory })
    if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
  }
  mkdirSync(directory, { recursive: true })
  const ca = `${name}-ca`
  run(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${ca}.key`,
    '-out',
    `${ca}.pem`,
  )
  return {
    certificate: () => readFileSync(`${directory}/${ca}.pem`, 'utf8'),
    /** PEM of a key and of a certificate for a name; the serial numbers and times go up. */
    issue(host: string): { key: string; certificate: string } {
      run(
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${host}`,
        '-keyout',
        'k.pem',
        '-out',
        'r.pem',
      )
      writeFileSync(`${directory}/san`, `subjectAltName=DNS:${host}`)
      run(
        'x509',
        '-req',
        '-in',
        'r.pem',
        '-CA',
        `${ca}.pem`,
        '-CAkey',
        `${ca}.key`,
        '-CAcreateserial',
        '-days',
        '20',
        '-extfile',
        'san',
        '-out',
        'c.pem',
      )
      return {
        key: readFileSync(`${directory}/k.pem`, 'utf8'),
        certificate: readFileSync(`${directory}/c.pem`, 'utf8'),
      }
    },
  }
}

const opensslTest = testWith({ programs: ['openssl'] })

describe('certificates', () => {
  const config: ConfigInput = { trees: [{ path: '/etc/letsencrypt', attributes: [...ATTRIBUTES] }] }

  /** Lays a certificate down as certbot does. */
  function install(
    root: string,
    number: number,
    { key, certificate }: { key: string; certificate: string },
    chain: string,
  ) {
    const base = `${root}/etc/letsencrypt`
    for (const name of ['archive', 'live']) mkdirSync(`${base}/${name}/example.org`, { recursive: true })
    const files = { cert: certificate, chain, fullchain: certificate + chain, privkey: key }
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(`${base}/archive/example.org/${name}${number}.pem`, text, {
        mode: name === 'privkey' ? 0o600 : 0o644,
      })
      const link = `${base}/live/example.org/${name}.pem`
      rmSync(link, { force: true })
      symlinkSync(`../../archive/example.org/${name}${number}.pem`, link)
    }
  }

  opensslTest('a renewed certificate explains itself, its key and its links, and nothing else', async () => {
    using host = realTime()
    const own = authority(`${host.root}/ca`, 'own')
    install(host.root, 1, own.issue('example.org'), own.certificate())
    await host.check(config)
    await Bun.sleep(1100) // certificates count in seconds: the next has to begin later
    install(host.root, 2, own.issue('example.org'), own.certificate())
    host.make('/etc/letsencrypt/archive/example.org/evil.pem', 0o644, 'x')
    host.make('/etc/letsencrypt/live/example.org/README', 0o644, own.certificate().replace('A', 'B'))
    host.wait(2000)
    expect(tellAll(await host.check(config)).toSorted()).toEqual([
      'new /etc/letsencrypt/archive/example.org/evil.pem',
      'new /etc/letsencrypt/live/example.org/README',
    ])
    expect(causesOf(host)[0]).toStartWith('certificate of DNS:example.org renewed')
    expect(lstatSync(`${host.root}/state/certificates.json`).mode & 0o077).toBe(0)
  })

  opensslTest(
    'a certificate of another authority, for another name or with a foreign key explains nothing',
    async () => {
      for (const kind of ['authority', 'name', 'key', 'open key']) {
        using host = realTime()
        const own = authority(`${host.root}/ca`, 'own')
        const foreign = authority(`${host.root}/foreign`, 'own')
        install(host.root, 1, own.issue('example.org'), own.certificate())
        await host.check(config)
        await Bun.sleep(1100)
        const from = kind === 'authority' ? foreign : own
        const issued = from.issue(kind === 'name' ? 'evil.example' : 'example.org')
        if (kind === 'key') issued.key = own.issue('example.org').key
        install(host.root, 2, issued, from.certificate())
        if (kind === 'open key')
          chmodSync(`${host.root}/etc/letsencrypt/archive/example.org/privkey2.pem`, 0o644)
        host.wait(2000)
        const told = tellAll(await host.check(config))
        if (kind === 'key') {
          expect(told.toSorted()).toEqual([
            'changed /etc/letsencrypt/live/example.org/privkey.pem',
            'new /etc/letsencrypt/archive/example.org/privkey2.pem',
          ])
        } else if (kind === 'open key') {
          expect(told).toEqual(['new /etc/letsencrypt/archive/example.org/privkey2.pem'])
        } else expect([kind, told.length]).toEqual([kind, 8])
      }
    },
  )
})

const rpmTest = testWith({ programs: ['rpm', 'rpmbuild'], root: true })

rpmTest('what rpm installs and removes is accepted, what is planted in it is told', async () => {
  using host = realTime()
  const build = `${host.root}/build`
  mkdirSync(`${build}/SPECS`, { recursive: true })
  mkdirSync(`${host.root}/usr/bin`, { recursive: true })
  writeFileSync(
    `${build}/SPECS/tiny.spec`,
    `Name: tiny
Version: 1
Release: 1
Summary: x
License: MIT
BuildArch: noarch
%description
x
%install
mkdir -p %{buildroot}/srv/tiny
echo one > %{buildroot}/srv/tiny/a
echo two > %{buildroot}/srv/tiny/b
ln -s a %{buildroot}/srv/tiny/link
%files
%dir %attr(0755, root, root) /srv/tiny
%attr(0640, root, root) /srv/tiny/a
%attr(0755, root, root) /srv/tiny/b
/srv/tiny/link
`,
  )
  const run = (...command: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(command)
    if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`)
    return stdout.toString()
  }
  run('rpmbuild', '-bb', '--quiet', '--define', `_topdir ${build}`, `${build}/SPECS/tiny.spec`)
  mkdirSync(`${host.root}/srv`, { recursive: true })
  const database = `${host.root}/var/lib/rpm`
  mkdirSync(database, { recursive: true })
  const { parseRpmFiles, RPM_QUERY } = await import('../../../../plugins/permission-drift/cause/rpm/query.ts')
  const { RpmPackages } = await import('../../../../plugins/permission-drift/cause/rpm/packages.ts')
  const rpm = (...args: string[]) => run('rpm', '--dbpath', database, ...args)
  rpm('--initdb')
  rpm(
    '--nodeps',
    '--noscripts',
    '--relocate',
    `/srv=${host.root}/srv`,
    '--badreloc',
    '-i',
    `${build}/RPMS/noarch/tiny-1-1.noarch.rpm`,
  )
  const files = parseRpmFiles(rpm(...RPM_QUERY))
  expect([...files.keys()].toSorted()).toEqual(
    ['', '/a', '/b', '/link'].map((name) => `${host.root}/srv/tiny${name}`),
  )
  const { LocalHostWriter } = await import('../../../../agent/host/writer.ts')
  const { ALL_GRANTS } = await import('../../../../agent/host/grants.ts')
  const writer = new LocalHostWriter('/', ALL_GRANTS)
  mkdirSync(`${host.root}/rpm-state`)
  const source = (known: typeof files) =>
    new RpmPackages(
      {
        host: writer,
        now: new Date(),
        fingerprint: (value) => new Bun.CryptoHasher('sha256').update(value).digest('hex'),
        onBlind: () => {},
      },
      { state: writer, stateDir: `${host.root}/rpm-state` },
      known,
      () => true,
    )
  const stateOf = (name: string) => {
    const path = `${host.root}/srv/tiny/${name}`
    const stat = writer.exactStat(path)
    if (!stat) throw new Error(`no ${path}`)
    const target = stat.type === 'symlink' ? writer.readLink(path) : undefined
    return { ...stat, path, ctimeNs: stat.ctimeNs ?? 0n, flags: [], ...(target !== undefined && { target }) }
  }
  const explain = (name: string) => source(files).explain({ kind: 'new', after: stateOf(name) })?.detail
  expect(['a', 'b', 'link'].map(explain)).toEqual(Array(3).fill('rpm: tiny 1-1'))
  const before = stateOf('a')
  source(files).remember()
  chmodSync(`${host.root}/srv/tiny/a`, 0o644)
  writeFileSync(`${host.root}/srv/tiny/b`, 'evil\n')
  unlinkSync(`${host.root}/srv/tiny/link`)
  symlinkSync('b', `${host.root}/srv/tiny/link`)
  writeFileSync(`${host.root}/srv/tiny/c`, '')
  expect(['a', 'b', 'link', 'c'].map(explain)).toEqual([undefined, undefined, undefined, undefined])
  // Gone with its package, or by itself.
  expect(source(files).explain({ kind: 'removed', before })).toBeUndefined()
  expect(source(new Map()).explain({ kind: 'removed', before })?.detail).toBe(
    'rpm: tiny 1-1 removed or replaced',
  )
})

test('evidence that others can write explains nothing, and is told', async () => {
  using host = realTime()
  host.make('/srv/a', 0o644)
  host.make('/var/lib/dpkg/status', 0o644, 'Package: x\nStatus: install ok installed\nVersion: 1\n')
  host.make('/var/lib/dpkg/info/x.list', 0o644, '/srv/b\n')
  const config: ConfigInput = { trees: [{ path: '/srv' }] }
  const first: Report = await host.check(config)
  expect(first.blind).toEqual([])
  host.make('/srv/b', 0o644)
  chmodSync(`${host.root}/var/lib/dpkg/status`, 0o666)
  const report = await host.check(config)
  expect(tellAll(report)).toEqual(['new /srv/b'])
  expect(report.blind?.map(({ subject }) => subject)).toEqual(['/var/lib/dpkg/status'])
})

test('check() waits until dpkg has finished what it is in the middle of', async () => {
  using host = realTime()
  host.make('/srv/a', 0o644)
  const status = (state: string) =>
    host.make('/var/lib/dpkg/status', 0o644, `Package: x\nStatus: install ok ${state}\nVersion: 1\n`)
  host.make('/var/lib/dpkg/info/x.list', 0o644, '')
  host.make('/var/log/dpkg.log', 0o644, '')
  status('half-installed')
  let isOver = false
  const check = host.check({ trees: [{ path: '/srv' }] }).then((report) => {
    isOver = true
    return report
  })
  await Bun.sleep(600)
  expect(isOver).toBe(false)
  status('installed')
  expect((await check).blind).toEqual([])
})
