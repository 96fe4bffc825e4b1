import { expect, test } from 'bun:test'
import { describeError, errnoOf } from '../../../agent/lib/errors.ts'

const errors: [name: string, error: unknown, text: string][] = [
  ['an error', new Error('no'), 'no'],
  ['an error with a cause', new Error('Cannot read', { cause: new Error('EACCES') }), 'Cannot read: EACCES'],
  [
    'a cause that is told already',
    new Error('Cannot read: EACCES', { cause: new Error('EACCES') }),
    'Cannot read: EACCES',
  ],
  ['a text', 'thrown', 'thrown'],
  ['an error without words', new TypeError(), 'TypeError'],
  ['nothing', undefined, ''],
]
for (const [name, error, text] of errors) {
  test(`describeError() of ${name} is "${text}"`, () => expect(describeError(error)).toBe(text))
}

test('describeError() ends on a cause that is its own', () => {
  const error = new Error('round')
  error.cause = error
  expect(describeError(error)).toBe('round')
})

test('errnoOf() is the name of a system error, and of nothing else', () => {
  expect(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT')
  expect(errnoOf(Object.assign(new Error('x'), { code: 5 }))).toBeUndefined()
  expect(errnoOf({ code: 'ENOENT' })).toBeUndefined()
})
