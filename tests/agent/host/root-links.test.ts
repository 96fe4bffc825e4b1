import { expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { followBelow } from '../../../agent/host/root-links.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

function tree() {
  const directory = temporaryDirectory()
  mkdirSync(`${directory.path}/run/resolve`, { recursive: true })
  mkdirSync(`${directory.path}/etc`)
  writeFileSync(`${directory.path}/run/resolve/file`, 'inside')
  const links = {
    absolute: '/run/resolve/file',
    relative: '../run/resolve/file',
    above: '../../../../run/resolve/file',
    outside: '/etc/passwd',
    one: 'two',
    two: 'one',
    through: '/etc/directory/file',
    directory: '/run/resolve',
  }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, `${directory.path}/etc/${name}`)
  return directory
}

test.each([
  ['/etc/absolute', '/run/resolve/file'],
  ['/etc/relative', '/run/resolve/file'],
  ['/etc/above', '/run/resolve/file'],
  ['/etc/through', '/run/resolve/file'],
  ['/etc/missing', '/etc/missing'],
  ['/', '/'],
])('followBelow() of %s is %s', (path, expected) => {
  using root = tree()
  expect(followBelow(root.path, path)).toBe(expected)
})

test('a host below another root reads what its links lead to there, and never what lies outside', () => {
  using root = tree()
  const host = new LocalHostReader(root.path, ALL_GRANTS)
  expect(host.readText('/etc/absolute', { follow: true })).toBe('inside')
  expect(host.statTarget('/etc/through')?.size).toBe(6)
  // This machine has such a file, the tree has not.
  expect(host.statTarget('/etc/outside')).toBeUndefined()
  expect(() => host.readText('/etc/outside', { follow: true })).toThrow('no such file')
  expect(() => host.readText('/etc/one', { follow: true })).toThrow('links form a loop')
})
