import { expect, test } from 'bun:test'
import { compileSelection, refuseName } from '../../../../plugins/backup/restore/name.ts'

test.each(['etc/hosts', 'a', '...', 'with space', 'ends.', '-rf', 'not-\udcff-utf8', 'a/..b/c'])(
  'refuseName() accepts %p',
  (name) => {
    expect(refuseName(name)).toBeUndefined()
  },
)

test.each([
  ['/etc/passwd', 'absolute'],
  ['..', 'leads out'],
  ['../x', 'leads out'],
  ['a/../../x', 'leads out'],
  ['a/..', 'leads out'],
  ['a//b', 'plain form'],
  ['./a', 'plain form'],
  ['a/.', 'plain form'],
  ['', 'plain form'],
  ['a\0b', 'NUL'],
  [`a/${'ä'.repeat(128)}`, 'too long'],
])('refuseName() refuses %p', (name, reason) => {
  expect(refuseName(name)).toContain(reason)
})

test.each<[string[], string, boolean]>([
  [[], 'anything', true],
  [['etc/ssh'], 'etc/ssh', true],
  [['etc/ssh'], 'etc/ssh/sshd_config', true],
  [['etc/ssh'], 'etc/sshd', false],
  [['etc/ssh'], 'etc', false],
  [['/etc/ssh/'], 'etc/ssh/sshd_config', true],
  [['etc/*.conf'], 'etc/a.conf', true],
  [['etc/*.conf'], 'etc/sub/a.conf', false],
  [['**/*.conf'], 'etc/sub/a.conf', true],
  [['srv/*/data'], 'srv/app/data/file', true],
  [['a', 'b'], 'b', true],
])('compileSelection(%p) of %p is %p', (patterns, name, selected) => {
  expect(compileSelection(patterns)(name)).toBe(selected)
})
