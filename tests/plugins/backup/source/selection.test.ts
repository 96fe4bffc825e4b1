import { expect, test } from 'bun:test'
import { compileExclude, outermostPaths } from '../../../../plugins/backup/source/selection.ts'

test.each<[string[], string[]]>([
  [
    ['/etc', '/var/lib'],
    ['/etc', '/var/lib'],
  ],
  [['/etc/ssh', '/etc'], ['/etc']],
  [['/etc', '/etc'], ['/etc']],
  [
    ['/var/log', '/var/log-old', '/var/log/x'],
    ['/var/log', '/var/log-old'],
  ],
  [['/', '/etc'], ['/']],
])('outermostPaths(%p) is %p', (paths, outermost) => {
  expect(outermostPaths(paths)).toEqual(outermost)
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
