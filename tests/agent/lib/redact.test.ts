import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Redactor, SHORTEST_SECRET } from '../../../agent/lib/redact.ts'

const SECRET = 'p@ss "word" with\nlines/and=signs'

/** The ways in which a program may write a value. */
const forms: [name: string, write: (secret: string) => string][] = [
  ['as it is', (secret) => secret],
  ['in base64', (secret) => Buffer.from(secret).toString('base64')],
  ['in base64 without padding', (secret) => Buffer.from(secret).toString('base64').replace(/=+$/, '')],
  ['in base64url', (secret) => Buffer.from(secret).toString('base64url')],
  ['in hexadecimal', (secret) => Buffer.from(secret).toString('hex')],
  ['in a URL', encodeURIComponent],
  ['in JSON', (secret) => JSON.stringify(secret)],
  ['twice', (secret) => `${secret} and ${secret}`],
]
for (const [name, write] of forms) {
  test(`Redactor hides a secret that is written ${name}`, () => {
    const redactor = new Redactor()
    redactor.add(SECRET)
    const text = redactor.text(`before ${write(SECRET)} after`)
    expect(text).not.toContain(write(SECRET))
    expect(text).toStartWith('before ')
    expect(text).toEndWith(' after')
    expect(text).toContain('[redacted]')
  })
}

test('Redactor hides the longer of two secrets when one is in the other', () => {
  const redactor = new Redactor()
  for (const secret of ['abcdefgh', 'abcdefgh-and-more', 'abcdefgh']) redactor.add(secret)
  expect(redactor.text('abcdefgh-and-more, abcdefgh')).toBe('[redacted], [redacted]')
})

test('Redactor leaves ordinary words alone: what is too short is no secret', () => {
  const redactor = new Redactor()
  redactor.add('x'.repeat(SHORTEST_SECRET - 1))
  redactor.add('')
  expect(redactor.text('xxxxxxx the rest')).toBe('xxxxxxx the rest')
})

test('Redactor goes through values of any depth, keys included, and copies them', () => {
  const redactor = new Redactor()
  redactor.add('a-secret-value')
  const value = { list: ['a-secret-value', { 'a-secret-value': 1 }], number: 5, none: null, flag: true }
  expect(redactor.value(value)).toEqual({
    list: ['[redacted]', { '[redacted]': 1 }],
    number: 5,
    none: null,
    flag: true,
  } as never)
  expect(value.list[0]).toBe('a-secret-value')
})

test('Redactor lets no registered secret through, whatever is around it', () => {
  const secret = fc.string({ minLength: SHORTEST_SECRET, maxLength: 30 })
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 4 }),
      fc.string(),
      fc.string(),
      (secrets, before, after) => {
        const redactor = new Redactor()
        for (const one of secrets) redactor.add(one)
        const text = redactor.text(before + secrets.join(after) + before)
        for (const one of secrets) {
          // The mask itself may hold one, such as "[redacte": nothing is learned from that.
          if (!'[redacted]'.includes(one) && !one.includes('[redacted]'))
            expect(text.replaceAll('[redacted]', '\0')).not.toContain(one)
        }
      },
    ),
    { seed: 20260307, numRuns: 300 },
  )
})
