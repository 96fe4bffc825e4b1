import { expect, test } from 'bun:test'
import { utimesSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { freeLimit, judgePressure } from '../../../plugins/log-rotation/free-limit.ts'
import { type Family, planQuota, removable } from '../../../plugins/log-rotation/removal.ts'
import { testWith } from '../../kit/needs.ts'
import { DAY_MS, type LogFixture, logFixture, rules } from './fixture.ts'

const now = 100 * DAY_MS
const family = (log: string, days: number[], keepDays?: number): Family => ({
  log,
  generations: days.map((age, index) => ({
    path: `${log}.${index + 1}`,
    ino: index,
    size: 10,
    mtimeMs: now - age * DAY_MS,
  })),
  keepYoungerThanMs: keepDays === undefined ? undefined : keepDays * DAY_MS,
})

test('removable() begins with the oldest of all logs, and never has the newest of one', () => {
  const paths = removable([family('/a', [1, 5, 9]), family('/b', [7, 8]), family('/c', [20])], now).map(
    ({ file }) => file.path,
  )
  expect(paths).toEqual(['/a.3', '/b.2', '/a.2'])
})

test('removable() leaves what a policy demands to be kept', () => {
  expect(removable([family('/a', [1, 5, 9], 6)], now).map(({ file }) => file.path)).toEqual(['/a.3'])
})

test('planQuota() removes no more than it has to, and says what is left', () => {
  const families = [family('/a', [1, 5, 9])]
  expect(planQuota(families, 35, 35, now)).toEqual({ removals: [], leftBytes: 35 })
  expect(planQuota(families, 35, 25, now).removals.map(({ file }) => file.path)).toEqual(['/a.3'])
  expect(planQuota(families, 35, 1, now)).toMatchObject({ leftBytes: 15, removals: { length: 2 } })
})

test('planQuota() keeps to the limit or keeps only the newest, whatever there is', () => {
  const families = fc.array(fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 6 }), { maxLength: 5 })
  fc.assert(
    fc.property(families, fc.integer({ min: 0, max: 300 }), (ages, limit) => {
      const all = ages.map((days, index) => family(`/${index}`, days))
      const total = all.reduce((sum, { generations }) => sum + generations.length * 10, 0)
      const { removals, leftBytes } = planQuota(all, total, limit, now)
      expect(leftBytes).toBe(total - removals.length * 10)
      if (leftBytes > limit) expect(leftBytes).toBe(ages.filter((days) => days.length > 0).length * 10)
      else expect(removals.length === 0 || leftBytes + 10 > limit).toBe(true)
    }),
    { seed: 3 },
  )
})

test.each([
  ['10%', { percent: 10 }],
  ['2.5 %', { percent: 2.5 }],
  ['2G', { bytes: 2 * 1024 ** 3 }],
  [4096, { bytes: 4096 }],
])('freeLimit reads %p', (text, expected) => expect(freeLimit.parse(text)).toEqual(expected))

test.each(['0%', '100%', '0', 'much', '-1', -1])('freeLimit refuses %p', (text) => {
  expect(freeLimit.safeParse(text).success).toBe(false)
})

test('judgePressure() compares with a share or a size', () => {
  const space = { path: '/var', freeBytes: 99, totalBytes: 1000 }
  expect(judgePressure({ percent: 10 }, space)).toContain('/var')
  expect(judgePressure({ percent: 9 }, space)).toBeUndefined()
  expect(judgePressure({ bytes: 100 }, space)).toBeDefined()
  expect(judgePressure(undefined, space)).toBeUndefined()
})

/** Generations of so many bytes, a day older each. */
function generations(logs: LogFixture, name: string, sizes: number[]): void {
  for (const [index, size] of sizes.entries()) {
    const path = logs.path(`${name}.${index + 1}.gz`)
    writeFileSync(path, 'x'.repeat(size))
    const seconds = (logs.nowMs - (index + 1) * DAY_MS) / 1000
    utimesSync(path, seconds, seconds)
  }
}

test('maxTotalSize removes the oldest of the whole set, and then is silent', async () => {
  using logs = logFixture({ paths: ['*.log'], interval: 'yearly', maxTotalSize: 250, compress: 'gzip' })
  writeFileSync(logs.path('a.log'), 'x'.repeat(50))
  writeFileSync(logs.path('b.log'), '')
  generations(logs, 'a.log', [50, 50, 50])
  generations(logs, 'b.log', [50, 50])
  const { before, applied, after } = await logs.enforce()
  expect(before.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['retention-exceeded', logs.path('a.log.3.gz')],
  ])
  expect([applied.findings, after.findings]).toEqual([[], []])
  expect(logs.names()).toEqual(['a.log', 'a.log.1.gz', 'a.log.2.gz', 'b.log', 'b.log.1.gz', 'b.log.2.gz'])
})

testWith({ root: true, programs: ['chattr'] })(
  'a rotated log that cannot be removed is told, and the others go all the same',
  async () => {
    using logs = logFixture({ paths: ['a.log'], interval: 'yearly', maxTotalSize: 60, compress: 'gzip' })
    writeFileSync(logs.path('a.log'), 'x')
    generations(logs, 'a.log', [50, 50, 50])
    const held = logs.path('a.log.3.gz')
    const { exitCode, stderr } = Bun.spawnSync(['chattr', '+i', held])
    if (exitCode !== 0) {
      expect(stderr.toString()).toContain('not supported')
      return
    }
    try {
      const { applied } = await logs.enforce()
      expect([
        ...new Set(applied.findings.map(({ rule, subject, remedy }) => `${rule} ${subject} ${remedy}`)),
      ]).toEqual([`removal-failed ${held} Remove it: rm ${held}`])
      expect(logs.names()).toEqual(['a.log', 'a.log.1.gz', 'a.log.3.gz'])
    } finally {
      Bun.spawnSync(['chattr', '-i', held])
    }
  },
)

test('maxTotalSize never removes the newest, and says so when that is too much', async () => {
  using logs = logFixture({ paths: ['a.log'], interval: 'yearly', maxTotalSize: 10, compress: 'gzip' })
  writeFileSync(logs.path('a.log'), 'x')
  generations(logs, 'a.log', [50, 50])
  const { after } = await logs.enforce()
  expect(rules(after)).toEqual(['quota-exceeded'])
  expect(logs.names()).toEqual(['a.log', 'a.log.1.gz'])
})

test('under pressure a large log is rotated, all is compressed, and the oldest go', async () => {
  using logs = logFixture({
    paths: ['*.log'],
    interval: 'yearly',
    whenFreeBelow: '4000000G',
    compress: 'gzip',
    delayCompress: true,
  })
  writeFileSync(logs.path('large.log'), 'x'.repeat(1_048_576))
  writeFileSync(logs.path('small.log'), 'x')
  generations(logs, 'small.log', [50, 50, 50])
  await logs.check()
  const { before, applied, after } = await logs.enforce()
  expect(rules(before)).toEqual(['disk-pressure', 'rotation-due'])
  expect(applied.findings).toEqual([])
  // There is never as much room as this wants: what is left is told, and it is not said that it can be relieved.
  expect(after.findings).toMatchObject([{ rule: 'disk-pressure', severity: 'critical', fixable: false }])
  expect(logs.names()).toEqual(['large.log', 'large.log.1.gz', 'small.log', 'small.log.1.gz'])
})

test('with enough room nothing is done early', async () => {
  using logs = logFixture({ paths: ['*.log'], interval: 'yearly', whenFreeBelow: '1k', compress: 'gzip' })
  writeFileSync(logs.path('large.log'), 'x'.repeat(1_048_576))
  generations(logs, 'large.log', [50, 50])
  expect((await logs.check()).findings).toEqual([])
})

test('under pressure what a policy demands is kept', async () => {
  using logs = logFixture({ paths: ['*.log'], interval: 'daily', keep: 100, whenFreeBelow: '4000000G' })
  logs.config.retention = [{ paths: [logs.path('**')], atLeast: '50h' }]
  writeFileSync(logs.path('a.log'), '')
  generations(logs, 'a.log', [50, 50, 50, 50])
  await logs.enforce()
  expect(logs.names()).toEqual(['a.log', 'a.log.1.gz', 'a.log.2.gz'])
})
