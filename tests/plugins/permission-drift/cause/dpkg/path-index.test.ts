import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { PathIndex } from '../../../../../plugins/permission-drift/cause/dpkg/path-index.ts'

test('PathIndex holds what a Map of lists holds', () => {
  const pairs = fc.array(fc.tuple(fc.constantFrom('/a', '/b', '/a/ä', '/c d', '/'), fc.nat({ max: 1000 })))
  fc.assert(
    fc.property(pairs, fc.array(fc.nat({ max: 100 })), (first, later) => {
      const index = new PathIndex()
      const expected = new Map<string, number[]>()
      const add = (path: string, number: number) => {
        index.add(path, number)
        expected.set(path, [...(expected.get(path) ?? []), number])
      }
      for (const [path, number] of first) add(path, number)
      expect(index.numbersOf('/a')).toEqual((expected.get('/a') ?? []).toSorted((a, b) => a - b))
      for (const number of later) add('/a', number) // after it was asked, too
      for (const path of ['/a', '/b', '/a/ä', '/c d', '/', '/none']) {
        expect(index.numbersOf(path)).toEqual((expected.get(path) ?? []).toSorted((a, b) => a - b))
      }
    }),
    { seed: 1 },
  )
})

test('PathIndex finds each of many paths, and the ends of what a number may be', () => {
  const index = new PathIndex()
  for (let number = 0; number < 20_000; number++) index.add(`/usr/share/${number}`, number)
  index.add('/last', 2 ** 20 - 1)
  for (let number = 0; number < 20_000; number += 7) {
    expect(index.numbersOf(`/usr/share/${number}`)).toEqual([number])
  }
  expect(index.numbersOf('/last')).toEqual([2 ** 20 - 1])
  expect(index.numbersOf('/usr/share/20000')).toEqual([])
  expect(() => index.add('/x', 2 ** 20)).toThrow('Cannot index 1048576')
})
