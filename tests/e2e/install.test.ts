import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { releaseArchive } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

// The installer as somebody gets it: out of a release archive. What needs a running systemd is in systemd.test.ts.

setDefaultTimeout(120_000)

const work = temporaryDirectory('reeve-installer')
const release = join(work.path, 'release')
let archive: string

beforeAll(() => {
  archive = releaseArchive()
  mkdirSync(release)
  Bun.spawnSync(['tar', '-xzf', archive, '--strip-components=1', '-C', release])
})
afterAll(() => work[Symbol.dispose]())

interface Result {
  exitCode: number
  output: string
}

function installer(
  args: string[],
  { wrap = [] as string[], script = join(release, 'install.sh') } = {},
): Result {
  const child = Bun.spawnSync([...wrap, script, ...args], {
    stdin: 'ignore',
    env: { ...process.env, LANG: 'C' },
  })
  return { exitCode: child.exitCode, output: `${child.stdout}${child.stderr}` }
}

function staging(): { path: string } & Disposable {
  return temporaryDirectory('reeve-staging')
}

function mode(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8).padStart(4, '0')
}

function filesBelow(path: string): string[] {
  return existsSync(path)
    ? readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name))
    : []
}

/** An archive directory of its own with a changed copy, and the SHA256SUMS of the real one. */
function copiedArchive(directory: string): string {
  const copy = join(directory, basename(archive))
  copyFileSync(archive, copy)
  copyFileSync(join(dirname(archive), 'SHA256SUMS'), join(directory, 'SHA256SUMS'))
  return copy
}

test('install.sh --root lays every file down with its mode and starts nothing', () => {
  using root = staging()
  const { exitCode, output } = installer(['--root', root.path])
  expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
  const modes = Object.fromEntries(
    [
      'usr/local/bin/reeve',
      'etc/reeve',
      'etc/reeve/conf.d',
      'etc/reeve/reeve.yaml',
      'etc/systemd/system/reeve.service',
      'etc/systemd/system/reeve.service.d/10-jobs.conf',
      'usr/local/share/bash-completion/completions/reeve',
      'usr/local/share/zsh/site-functions/_reeve',
      'usr/local/share/fish/vendor_completions.d/reeve.fish',
      'var/lib/reeve',
    ].map((path) => [path, mode(join(root.path, path))]),
  )
  expect(modes).toEqual({
    'usr/local/bin/reeve': '0755',
    'etc/reeve': '0750',
    'etc/reeve/conf.d': '0750',
    'etc/reeve/reeve.yaml': '0640',
    'etc/systemd/system/reeve.service': '0644',
    'etc/systemd/system/reeve.service.d/10-jobs.conf': '0644',
    'usr/local/share/bash-completion/completions/reeve': '0644',
    'usr/local/share/zsh/site-functions/_reeve': '0644',
    'usr/local/share/fish/vendor_completions.d/reeve.fish': '0644',
    'var/lib/reeve': '0700',
  })
  // No database and no token in an image: every host would have the same.
  expect(readdirSync(join(root.path, 'var/lib/reeve'))).toEqual([])
  expect(filesBelow(root.path).filter((path) => /\.new$/.test(path))).toEqual([])
})

test('install.sh --prefix puts the binary there and the unit starts it from there', () => {
  using root = staging()
  expect(installer(['--root', root.path, '--prefix', '/opt/reeve']).exitCode).toBe(0)
  expect(existsSync(join(root.path, 'opt/reeve/bin/reeve'))).toBe(true)
  const unit = readFileSync(join(root.path, 'etc/systemd/system/reeve.service'), 'utf8')
  expect(unit).toContain('\nExecStart=/opt/reeve/bin/reeve daemon\n')
  // The second run finds the prefix by itself.
  expect(installer(['--root', root.path]).exitCode).toBe(0)
  expect(existsSync(join(root.path, 'usr/local/bin/reeve'))).toBe(false)
})

test('install.sh keeps the configuration and the timers of the run before, and renews the binary', () => {
  using root = staging()
  installer(['--root', root.path, '--timers'])
  const units = join(root.path, 'etc/systemd/system')
  const timers = readdirSync(units).filter((name) => name.endsWith('.timer'))
  expect(timers).toContain('reeve-permissions.timer')
  const config = join(root.path, 'etc/reeve/reeve.yaml')
  appendFileSync(config, '# mine\n')
  truncateSync(join(root.path, 'usr/local/bin/reeve'), 1000)

  expect(installer(['--root', root.path]).exitCode).toBe(0)
  expect(readFileSync(config, 'utf8')).toEndWith('# mine\n')
  expect(readdirSync(units).filter((name) => name.endsWith('.timer'))).toEqual(timers)
  expect(statSync(join(root.path, 'usr/local/bin/reeve')).size).toBe(statSync(join(release, 'reeve')).size)
})

test('install.sh leaves the old binary in place when the new one refuses the configuration', () => {
  using root = staging()
  installer(['--root', root.path])
  const binary = join(root.path, 'usr/local/bin/reeve')
  writeFileSync(binary, 'the old one')
  writeFileSync(join(root.path, 'etc/reeve/reeve.yaml'), 'jbos: {}\n')
  const { exitCode, output } = installer(['--root', root.path])
  expect(exitCode).toBe(1)
  expect(output).toContain('did you mean "jobs"')
  expect(output).toContain('Nothing was changed')
  expect(readFileSync(binary, 'utf8')).toBe('the old one')
  expect(readdirSync(dirname(binary))).toEqual(['reeve'])
})

test('install.sh --uninstall leaves configuration and data, --purge nothing', () => {
  using root = staging()
  installer(['--root', root.path, '--timers'])
  writeFileSync(join(root.path, 'var/lib/reeve/reeve.db'), 'data')
  expect(installer(['--root', root.path, '--uninstall']).exitCode).toBe(0)
  expect(filesBelow(root.path).sort()).toEqual([
    join(root.path, 'etc/reeve/reeve.yaml'),
    join(root.path, 'var/lib/reeve/reeve.db'),
  ])
  expect(installer(['--root', root.path, '--uninstall', '--purge']).exitCode).toBe(0)
  expect(filesBelow(root.path)).toEqual([])
  // Once more is no error.
  expect(installer(['--root', root.path, '--uninstall', '--purge']).exitCode).toBe(0)
})

test('install.sh --archive installs what SHA256SUMS vouches for', () => {
  using root = staging()
  const { exitCode, output } = installer(['--root', root.path, '--archive', archive])
  expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
  expect(existsSync(join(root.path, 'usr/local/bin/reeve'))).toBe(true)
})

const badArchives: [title: string, change: (archive: string) => void, message: string][] = [
  ['a byte of the archive is changed', (path) => flipByte(path, 40_000_000), 'SHA256SUMS says'],
  ['the archive is cut short', (path) => truncateSync(path, 40_000_000), 'SHA256SUMS says'],
  [
    'SHA256SUMS is missing',
    (path) => Bun.spawnSync(['rm', join(dirname(path), 'SHA256SUMS')]),
    'there is no SHA256SUMS beside it',
  ],
  [
    'SHA256SUMS says nothing about it',
    (path) => writeFileSync(join(dirname(path), 'SHA256SUMS'), `${'0'.repeat(64)}  other.tar.gz\n`),
    'has no line, or more than one, about it',
  ],
]
for (const [title, change, message] of badArchives) {
  test(`install.sh --archive installs nothing when ${title}`, () => {
    using root = staging()
    using copies = temporaryDirectory('reeve-archive')
    const copy = copiedArchive(copies.path)
    change(copy)
    const { exitCode, output } = installer(['--root', root.path, '--archive', copy])
    expect(exitCode).toBe(1)
    expect(output).toContain(message)
    expect(filesBelow(root.path)).toEqual([])
  })
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

test('install.sh installs nothing when a file of the unpacked release was changed', () => {
  using root = staging()
  using copy = temporaryDirectory('reeve-release')
  Bun.spawnSync(['cp', '-a', `${release}/.`, copy.path])
  appendFileSync(join(copy.path, 'packaging/systemd/reeve.service'), '[Service]\nUser=root\n')
  const { exitCode, output } = installer(['--root', root.path], { script: join(copy.path, 'install.sh') })
  expect(exitCode).toBe(1)
  expect(output).toContain('Cannot install "packaging/systemd/reeve.service": its SHA-256 is')
  expect(filesBelow(root.path)).toEqual([])
})

test('install.sh says that a binary is made for another machine', () => {
  using root = staging()
  using copy = temporaryDirectory('reeve-release')
  Bun.spawnSync(['cp', '-a', `${release}/.`, copy.path])
  const binary = readFileSync(join(copy.path, 'reeve')).subarray(0, 4096)
  binary.writeUInt16LE(0xf3, 18) // RISC-V, in e_machine of the ELF header
  writeFileSync(join(copy.path, 'reeve'), binary)
  const sum = new Bun.CryptoHasher('sha256').update(binary).digest('hex')
  const sums = readFileSync(join(copy.path, 'SHA256SUMS'), 'utf8').replace(/^\S+ {2}reeve$/m, `${sum}  reeve`)
  writeFileSync(join(copy.path, 'SHA256SUMS'), sums)
  const { exitCode, output } = installer(['--root', root.path], { script: join(copy.path, 'install.sh') })
  expect(exitCode).toBe(1)
  expect(output).toContain('it is not made for this')
  expect(filesBelow(root.path)).toEqual([])
})

testWith({ root: true, programs: ['unshare'] })(
  'install.sh installs nothing when the disk has too little room',
  () => {
    using root = staging()
    const script = `mount -t tmpfs -o size=60m none ${root.path} && "$@"; code=$?; find ${root.path} -type f; exit $code`
    const { exitCode, output } = installer(['--root', root.path], {
      wrap: ['unshare', '--mount', 'sh', '-c', script, 'sh'],
    })
    expect(exitCode).toBe(1)
    expect(output).toMatch(/Cannot write to ".*": \d+ MiB are free there, \d+ MiB are needed\n$/)
  },
)

const wrongUsage: [args: string[], message: string][] = [
  [['--prefx', '/opt'], 'Cannot read "--prefx": unknown option'],
  [['--root'], 'Cannot read "--root": it wants a path after it'],
  [['--prefix', 'opt'], 'Cannot use "opt": wanted an absolute path'],
  [['--prefix', '/opt/../etc'], 'Cannot use "/opt/../etc": wanted an absolute path'],
  [['--root', '/tmp/a b'], 'Cannot use "/tmp/a b": wanted an absolute path'],
  [['--purge'], '--purge goes with --uninstall'],
  [['--once'], '--once goes with --try'],
  [['--try', '--prefix', '/opt'], '--try installs nothing'],
]
for (const [args, message] of wrongUsage) {
  test(`install.sh ${args.join(' ')} is refused with exit code 2`, () => {
    const { exitCode, output } = installer(args)
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: expect.stringContaining(message) })
  })
}

testWith({ root: true, programs: ['setpriv'] })('install.sh asks for root before it does anything', () => {
  chmodSync(work.path, 0o755)
  const wrap = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const { exitCode, output } = installer([], { wrap })
  expect(exitCode).toBe(1)
  expect(output).toContain('Cannot install: not root. Run "sudo ./install.sh", or try it first')
})

testWith({ root: true, programs: ['unshare', 'systemctl', 'runuser'] })(
  'install.sh says that systemd does not run, before it does anything',
  () => {
    // An empty /run in a mount namespace of its own is how a host without systemd looks.
    const wrap = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh']
    const { exitCode, output } = installer([], { wrap })
    expect(exitCode).toBe(1)
    expect(output).toContain('Cannot start reeve: systemd does not run here')
  },
)

test('install.sh does nothing when it is cut short at any line', () => {
  using root = staging()
  const lines = readFileSync(join(release, 'install.sh'), 'utf8').trimEnd().split('\n')
  expect(lines.at(-1)).toBe('main "$@"')
  const cut = join(work.path, 'cut.sh')
  for (let length = 5; length < lines.length; length += 9) {
    writeFileSync(cut, `${lines.slice(0, length).join('\n')}\n`)
    Bun.spawnSync(['sh', cut, '--root', root.path], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
  }
  expect(filesBelow(root.path)).toEqual([])
})
