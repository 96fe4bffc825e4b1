import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { nearest } from '../../../agent/lib/nearest.ts'

const COMMANDS = ['status', 'findings', 'run', 'runs', 'jobs', 'backup', 'config', 'completion']

const cases: [word: string, known: string[], expected: string | undefined][] = [
  ['status', COMMANDS, 'status'],
  ['statsu', COMMANDS, 'status'],
  ['stats', COMMANDS, 'status'],
  ['STATUS', COMMANDS, 'status'],
  ['finding', COMMANDS, 'findings'],
  ['confgi', COMMANDS, 'config'],
  ['rnu', COMMANDS, 'run'],
  ['rums', COMMANDS, 'runs'],
  ['bakup', COMMANDS, 'backup'],
  ['x', COMMANDS, undefined],
  ['restore', COMMANDS, undefined],
  ['', COMMANDS, undefined],
  ['status', [], undefined],
  ['schedul', ['schedule', 'enabled'], 'schedule'],
  ['time-zone', ['timezone', 'timeout'], 'timezone'],
]
for (const [word, known, expected] of cases) {
  test(`nearest() of "${word}" is ${expected ?? 'nothing'} among ${known.length}`, () => {
    expect(nearest(word, known)).toBe(expected)
  })
}

test('nearest() finds the word itself, and one with two neighbours swapped', () => {
  const word = fc.string({ minLength: 4, maxLength: 12, unit: fc.constantFrom(...'abcdefghij') })
  fc.assert(
    fc.property(word, fc.nat(), (text, seed) => {
      expect(nearest(text, ['zzzzzzzzzzzzzzzz', text])).toBe(text)
      const at = seed % (text.length - 1)
      const swapped = text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2)
      expect(nearest(swapped, [text])).toBe(text)
    }),
    { seed: 20260305, numRuns: 200 },
  )
})
