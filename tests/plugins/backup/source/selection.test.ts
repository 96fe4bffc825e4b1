import { expect, test } from 'bun:test'
import { compileExclude, startPaths } from '../../../../plugins/backup/source/selection.ts'

test.each<[string[], string[]]>([
  [
    ['/var/lib', '/etc'],
    ['/etc', '/var/lib'],
  ],
  [
    ['/etc/ssh', '/etc'],
    ['/etc', '/etc/ssh'],
  ],
  [['/etc', '/etc'], ['/etc']],
])('startPaths(%p) is %p', (paths, starts) => {
  expect(startPaths(paths)).toEqual(starts)
})

test.each<[string, string, boolean]>([
  ['*.tmp', '/var/a/x.tmp', true],
  ['*.tmp', '/var/a/x.txt', false],
  ['node_modules', '/srv/app/node_modules', true],
  ['node_modules', '/srv/app/node_modules2', false],
  ['/var/cache/**', '/var/cache/apt/x', true],
  ['/var/cache/**', '/var/cache', false],
  ['/var/*/tmp', '/var/a/tmp', true],
  ['/var/*/tmp', '/var/a/b/tmp', false],
  ['/srv/{a,b}/x', '/srv/b/x', true],
  ['*.tmp', '/var/not-\udcff-utf8.tmp', true],
])('compileExclude([%p]) of %p is %p', (pattern, path, excluded) => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  expect(compileExclude([pattern])(path, name)).toBe(excluded)
})

test('compileExclude() of nothing leaves nothing out', () => {
  expect(compileExclude([])('/etc/passwd', 'passwd')).toBe(false)
})
