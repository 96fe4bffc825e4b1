import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { emptyLedger, parseLedger, recordSightings } from '../../../plugins/credential-age/ledger.ts'
import { DAY } from './material.ts'

const T = Date.UTC(2027, 0, 1)
const at = (days: number) => T + days * DAY

function see(
  ledger: ReturnType<typeof emptyLedger>,
  day: number,
  ...seen: [subject: string, value: string, mtimeDay: number][]
) {
  return recordSightings(
    ledger,
    seen.map(([subject, fingerprint, mtimeDay]) => ({ subject, fingerprint, mtimeMs: at(mtimeDay) })),
    at(day),
  )
}

test('recordSightings() counts from the time of the file at first sight', () => {
  const { sightings } = see(emptyLedger(T), 0, ['/a#X', 'v1', -40])
  expect(sightings.get('/a#X')).toEqual({
    firstSeenAtMs: T,
    setAtMs: at(-40),
    since: 'mtime',
    changedAtMs: null,
  })
})

test('recordSightings() keeps the age of a value when only its file is written again', () => {
  const first = see(emptyLedger(T), 0, ['/a#X', 'v1', -40])
  const { sightings } = see(first.ledger, 10, ['/a#X', 'v1', 9])
  expect(sightings.get('/a#X')).toMatchObject({ setAtMs: at(-40), since: 'mtime', changedAtMs: null })
})

test('recordSightings() notices a rotation, between the last run and now', () => {
  const first = see(emptyLedger(T), 0, ['/a#X', 'v1', -40])
  const change = (mtimeDay: number) => see(first.ledger, 10, ['/a#X', 'v2', mtimeDay]).sightings.get('/a#X')
  expect(change(7)).toEqual({ firstSeenAtMs: at(10), setAtMs: at(7), since: 'observed', changedAtMs: at(10) })
  expect(change(-100)?.setAtMs).toBe(at(0))
  expect(change(99)?.setAtMs).toBe(at(10))
})

test('recordSightings() remembers when a place changed last', () => {
  let { ledger } = see(emptyLedger(T), 0, ['/a#X', 'v1', 0])
  ledger = see(ledger, 5, ['/a#X', 'v2', 5]).ledger
  expect(see(ledger, 9, ['/a#X', 'v2', 8]).sightings.get('/a#X')?.changedAtMs).toBe(at(5))
})

test('recordSightings() lets a value keep its age when it moves, and when it comes back', () => {
  let { ledger } = see(emptyLedger(T), 0, ['/a#X', 'v1', -40])
  expect(see(ledger, 1, ['/b#Y', 'v1', 1]).sightings.get('/b#Y')?.setAtMs).toBe(at(-40))
  ledger = see(ledger, 2, ['/a#X', 'v2', 2]).ledger
  const back = see(ledger, 3, ['/a#X', 'v1', 3]).sightings.get('/a#X')
  expect(back).toMatchObject({ setAtMs: at(-40), changedAtMs: at(3) })
})

test('recordSightings() takes the older of two files that are seen first in one run', () => {
  const { sightings } = see(emptyLedger(T), 0, ['/a#X', 'v1', -5], ['/b#X', 'v1', -40])
  expect(sightings.get('/b#X')?.setAtMs).toBe(at(-40))
})

test('recordSightings() does not forget what could not be looked at for a while', () => {
  const first = see(emptyLedger(T), 0, ['/a#X', 'v1', -40])
  const blind = see(first.ledger, 1)
  expect(see(blind.ledger, 2, ['/a#X', 'v1', 2]).sightings.get('/a#X')?.setAtMs).toBe(at(-40))
})

test('recordSightings() does not believe a time that is still to come', () => {
  const wrong = see(emptyLedger(T), 900, ['/a#X', 'v1', 900])
  const { sightings } = see(wrong.ledger, 1, ['/a#X', 'v1', -3])
  expect(sightings.get('/a#X')).toMatchObject({ setAtMs: at(-3), firstSeenAtMs: at(1) })
})

test('recordSightings() forgets what is gone after 400 days, and stays bounded', () => {
  const first = see(emptyLedger(T), 0, ['/a#X', 'v1', 0])
  expect(Object.keys(see(first.ledger, 400).ledger.values)).toEqual(['v1'])
  expect(see(first.ledger, 401).ledger).toEqual({ ...emptyLedger(at(401)) })
  let ledger = emptyLedger(T)
  for (let day = 0; day < 30; day++) {
    const many = Array.from({ length: 40 }, (_, index): [string, string, number] => [
      `/f${index}`,
      `v${day}-${index}`,
      day,
    ])
    ledger = see(ledger, day, ...many).ledger
  }
  expect(Object.keys(ledger.values)).toHaveLength(540)
  expect(Object.keys(ledger.places)).toHaveLength(40)
})

test('recordSightings() never makes a value younger, whatever happens to files', () => {
  const step = fc.record({
    place: fc.constantFrom('/a', '/b', '/c'),
    value: fc.constantFrom('v1', 'v2', 'v3'),
    mtimeDay: fc.integer({ min: -50, max: 60 }),
  })
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 3 }), { minLength: 2, maxLength: 30 }), (runs) => {
      let ledger = emptyLedger(T)
      const setAt = new Map<string, number>()
      for (const [day, steps] of runs.entries()) {
        const places = new Map(steps.map((one) => [one.place, one]))
        const seen = [...places.values()].map((one): [string, string, number] => [
          one.place,
          one.value,
          one.mtimeDay,
        ])
        const result = see(ledger, day, ...seen)
        ledger = parseLedger(JSON.parse(JSON.stringify(result.ledger))) ?? emptyLedger(0)
        expect(ledger).toEqual(result.ledger)
        for (const [, value] of seen) {
          const now = ledger.values[value]?.setAtMs ?? Number.NaN
          expect(now).toBeLessThanOrEqual(Math.min(at(day), setAt.get(value) ?? at(day)))
          setAt.set(value, now)
        }
      }
    }),
    { seed: 9, numRuns: 300 },
  )
})

test.each([
  [null],
  ['x'],
  [[]],
  [{}],
  [{ version: 2, lastRunAtMs: 0, values: {}, places: {} }],
  [{ version: 1 }],
])('parseLedger() does not take %p for a ledger', (memory) => {
  expect(parseLedger(memory)).toBeUndefined()
})
