import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS } from '../../../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../../../agent/host/writer.ts'
import { readSnapshot, writeSnapshot } from '../../../../../plugins/permission-drift/cause/dpkg/snapshot.ts'
import { temporaryDirectory } from '../../../../kit/plugin.ts'
import { fingerprint as keyed } from '../../baseline/states.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)
const fingerprint = (value: Uint8Array) => keyed(Buffer.from(value).toString('latin1'))
const HEAD = { status: '1 2 3', takenMs: 4, accounts: { '/etc/passwd': { root: 'é' } } }

/** More than one member of gzip holds. */
const PACKAGES = Array.from({ length: 3000 }, (_, number) => ({
  name: `package-${number}`,
  paths: ['/usr', ...Array.from({ length: 10 }, (_ignored, file) => `/usr/share/doc/${number}/ä ${file}`)],
  named: number % 1000 === 0 ? [`/etc/${number}`] : [],
}))

test('readSnapshot() gives back what writeSnapshot() took', () => {
  using directory = temporaryDirectory()
  writeSnapshot(host, directory.path, fingerprint, HEAD, PACKAGES)
  const snapshot = readSnapshot(host, directory.path, fingerprint)
  expect(snapshot).toMatchObject(HEAD)
  for (const { name, paths } of PACKAGES.filter((_, index) => index % 97 === 0)) {
    for (const path of paths.slice(1)) expect(snapshot?.ownersOf(path)).toEqual([name])
  }
  expect(snapshot?.ownersOf('/usr')).toEqual(PACKAGES.map(({ name }) => name))
  expect(snapshot?.ownersOf('/usr/share')).toEqual([])
  expect([...(snapshot?.named ?? [])]).toEqual([
    ['package-0', ['/etc/0']],
    ['package-1000', ['/etc/1000']],
    ['package-2000', ['/etc/2000']],
  ])
})

test('readSnapshot() takes one of no packages, and none where there is none', () => {
  using directory = temporaryDirectory()
  expect(readSnapshot(host, directory.path, fingerprint)).toBeUndefined()
  writeSnapshot(host, directory.path, fingerprint, HEAD, [])
  expect(readSnapshot(host, directory.path, fingerprint)?.ownersOf('/usr')).toEqual([])
})

test('readSnapshot() believes none with a changed, missing or added byte, or of another key', () => {
  using directory = temporaryDirectory()
  writeSnapshot(host, directory.path, fingerprint, HEAD, PACKAGES.slice(0, 5))
  const path = `${directory.path}/packages.gz`
  const bytes = readFileSync(path)
  expect(readSnapshot(host, directory.path, (value) => `${fingerprint(value)}0`)).toBeUndefined()
  const damaged = [bytes.subarray(0, -1), bytes.subarray(0, 10), Buffer.concat([bytes, Buffer.of(10)])]
  for (const at of [0, 40, bytes.indexOf('\n') + 20, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    damaged.push(changed)
  }
  for (const one of [...damaged, Buffer.alloc(0)]) {
    writeFileSync(path, one)
    expect(readSnapshot(host, directory.path, fingerprint)).toBeUndefined()
  }
  writeFileSync(path, bytes)
  expect(readSnapshot(host, directory.path, fingerprint)).toBeDefined()
})
