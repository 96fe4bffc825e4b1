import { describe, expect, test } from 'bun:test'
import { covers, demand, toGrants } from '../../../agent/host/grants.ts'

const grants = toGrants(
  { list: ['/list'], read: ['/read', '/logs/*.log'], write: ['/write'], attributes: ['/attributes'] },
  '/state',
  (pattern) => (pattern === '/logs/*.log' ? ['/logs/a.log', '/logs/b.log'] : [pattern]),
)

describe('covers()', () => {
  test.each([
    ['list', '/list', true],
    ['list', '/list/a/b', true],
    ['list', '/lists', false],
    ['list', '/read/a', true],
    ['list', '/write/a', true],
    ['list', '/attributes', false],
    ['read', '/list/a', false],
    ['read', '/read', true],
    ['read', '/logs/a.log', true],
    ['read', '/logs/c.log', false],
    ['read', '/write/a', true],
    ['read', '/attributes', false],
    ['write', '/write', true],
    ['write', '/read', false],
    ['write', '/attributes', false],
    ['attributes', '/attributes/x', true],
    ['attributes', '/write/x', true],
    ['attributes', '/read', false],
    ['write', '/state/x', true],
    ['read', '/state', true],
  ] as const)('%s of %s: %p', (access, path, expected) => {
    expect(covers(grants, access, path)).toBe(expected)
  })
})

test('demand() names what is not declared', () => {
  expect(() => demand(grants, 'write', '/etc/passwd', 'write')).toThrow(
    'Cannot write "/etc/passwd": the job does not declare it (permissions.write)',
  )
  expect(() => demand(grants, 'read', '/read/a', 'read')).not.toThrow()
})

test.each(['/read/../etc/shadow', 'read/a', '/read/./a', '/read//a', '/read/a/'])(
  'demand() refuses %p, which only seems to lie within',
  (path) => {
    expect(() => demand(grants, 'read', path, 'read')).toThrow('it is no absolute path')
  },
)
