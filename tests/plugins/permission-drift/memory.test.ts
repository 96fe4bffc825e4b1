import { describe, expect, test } from 'bun:test'
import { distrust, parseMemory, toMemory } from '../../../plugins/permission-drift/memory.ts'

const header = (generation: number, tree = '/etc') => ({ tree, generation })
const trailer = (fingerprint: string) => ({ fingerprint })

describe('distrust()', () => {
  test.each([
    ['the one seen last', header(2), 'b', { generation: 2, fingerprint: 'b' }, undefined],
    ['a newer one', header(3), 'c', { generation: 2, fingerprint: 'b' }, undefined],
    ['the first one seen', header(7), 'x', undefined, undefined],
    ['an older one', header(1), 'a', { generation: 2, fingerprint: 'b' }, 'generation 2 was seen already'],
    ['another one', header(2), 'x', { generation: 2, fingerprint: 'b' }, 'another one than was seen last'],
    ['one of another tree', header(2, '/usr'), 'b', undefined, 'it is the one of "/usr"'],
  ])('of %s', (_, head, fingerprint, remembered, expected) => {
    const reason = distrust('/etc', head, trailer(fingerprint), remembered)
    if (expected === undefined) expect(reason).toBeUndefined()
    else expect(reason).toContain(expected)
  })
})

test('parseMemory() reads what toMemory() wrote, and refuses anything else', () => {
  const remembered = new Map([['/etc', { generation: 2, fingerprint: 'b' }]])
  expect(parseMemory(toMemory(remembered))).toEqual(remembered)
  expect(parseMemory(undefined).size).toBe(0)
  expect(() => parseMemory({ baselines: { '/etc': 1 } })).toThrow()
})
