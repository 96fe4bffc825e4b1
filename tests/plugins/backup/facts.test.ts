import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../../kit/needs.ts'
import { attributesOf, diskBytes, factsOf } from './attributes.ts'
import { BackupFixture } from './fixture.ts'
import { GnuPg } from './gnupg.ts'

setDefaultTimeout(60_000)

let gnuPg: GnuPg | undefined
const home = () => (gnuPg ??= new GnuPg())
afterAll(() => gnuPg?.[Symbol.dispose]())

function toPublicKey(): BackupFixture {
  const fingerprint = gnuPg?.fingerprintOf('Facts') ?? home().makeKey('Facts')
  const file = join(home().home, 'public.asc')
  home().exportPublic(file, ['Facts'], { armor: true })
  return new BackupFixture({ recipients: [{ file, fingerprint }] })
}

function run(...argv: string[]): void {
  const result = Bun.spawnSync(argv, { stderr: 'pipe' })
  if (result.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`)
}

/** A tree with everything that a Linux file system knows. */
function fillSource(fixture: BackupFixture): void {
  const at = (name: string) => join(fixture.source, name)
  fixture.write('plain', 'plain')
  linkSync(at('plain'), at('hard link'))
  symlinkSync('plain', at('symlink'))
  lutimesSync(at('symlink'), 1_234_567_890.5, 1_234_567_890.5)
  mkdirSync(at('directory'))
  writeFileSync(Buffer.concat([Buffer.from(at('not utf-8 ')), Buffer.of(0xff, 0xc3)]), 'latin')
  const deep = Array.from({ length: 9 }, (_, index) => String(index).repeat(200)).join('/')
  fixture.write(`${deep}/long`, 'a path of 1800 bytes')
  run('mkfifo', '-m', '0640', at('fifo'))
  run('mknod', '-m', '0600', at('character device'), 'c', '1', '7')
  run('mknod', '-m', '0660', at('block device'), 'b', '7', '300')
  fixture.write('attributes', 'x')
  run('setfattr', '-n', 'user.comment', '-v', 'a = b % c', at('attributes'))
  run('setfattr', '-n', 'user.a=b', '-v', '0x00ff0a', at('attributes'))
  run('setfattr', '-n', 'trusted.secret', '-v', 'x', at('directory'))
  run('setfattr', '-n', 'user.empty', at('directory'))
  run('setfacl', '-m', 'u:12345:r--,g:54321:rw-', at('attributes'))
  run('setfacl', '-m', 'd:u:12345:rwx', at('directory'))
  fixture.write('capable', '#!/bin/sh\n')
  chownSync(at('capable'), 1234, 4321)
  run('chmod', '4755', at('capable'))
  run('setcap', 'cap_net_bind_service=ep', at('capable'))
  fixture.write('sparse', '')
  for (const [offset, text] of [
    [0, 'begin'],
    [5_000_000, 'middle'],
    [20_000_000, 'end'],
  ] as const) {
    run(
      'sh',
      '-c',
      'printf "%s" "$1" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none',
      'sh',
      text,
      at('sparse'),
      String(offset),
    )
  }
  truncateSync(at('sparse'), 40_000_000)
  fixture.write('all hole', '')
  truncateSync(at('all hole'), 3_000_000)
  run('touch', '-d', '2001-02-03T04:05:06.123456789Z', at('plain'))
  run('touch', '-d', '1960-01-01T00:00:00.5Z', at('attributes'))
}

const everything = testWith({
  programs: ['setfattr', 'setfacl', 'setcap', 'mknod', 'gpg', 'zstd', 'tar'],
  root: true,
})

everything('a restore gives back every fact of every kind of entry', async () => {
  using fixture = new BackupFixture()
  fillSource(fixture)
  expect((await fixture.enforce()).after.findings).toEqual([])
  const to = fixture.makeDirectory('to')
  expect((await fixture.command('restore', { values: { to } })).text).toStartWith('Restored ')
  const restored = join(to, fixture.source)
  expect(factsOf(restored)).toEqual(factsOf(fixture.source))
  expect(attributesOf(restored)).toBe(attributesOf(fixture.source))
  expect(diskBytes(restored, 'sparse')).toBeLessThan(100_000)
  expect(diskBytes(restored, 'all hole')).toBe(0)
})

everything('gpg, zstd and tar give back every fact of every kind of entry', async () => {
  using fixture = toPublicKey()
  fillSource(fixture)
  expect((await fixture.enforce()).after.findings).toEqual([])
  const to = fixture.makeDirectory('to')
  const backup = join(
    fixture.destination,
    readdirSync(fixture.destination).find((name) => name.endsWith('.gpg')) ?? '',
  )
  const command =
    'gpg --batch --quiet --decrypt "$1" | zstd -d | tar -x --numeric-owner --xattrs --xattrs-include="*" --acls -C "$2"'
  const result = Bun.spawnSync(['sh', '-c', command, 'sh', backup, to], { env: home().env })
  // GNU tar keeps times before 1970, and says what it thinks of them.
  expect(result.stderr.toString().replace(/^tar: .*implausibly old time stamp.*\n/gm, '')).toBe('')
  const restored = join(to, fixture.source)
  expect(factsOf(restored)).toEqual(factsOf(fixture.source))
  expect(attributesOf(restored)).toBe(attributesOf(fixture.source))
  expect(diskBytes(restored, 'sparse')).toBeLessThan(100_000)
})

test('a sparse file does not grow the backup by its holes', async () => {
  using fixture = new BackupFixture()
  fixture.write('sparse', 'x')
  truncateSync(join(fixture.source, 'sparse'), 2 ** 36)
  const { applied } = await fixture.enforce()
  expect(applied.artifacts?.[0]?.bytes).toBeLessThan(10_000)
})
