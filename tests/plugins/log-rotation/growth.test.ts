import { expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import type { Json } from '../../../agent/contract/mod.ts'
import {
  growthPerDay,
  keepPoints,
  type Memory,
  type Point,
  readMemory,
  rememberSizes,
} from '../../../plugins/log-rotation/growth.ts'
import { forecastFull, spaceFindings, spaceMetrics } from '../../../plugins/log-rotation/space.ts'
import { canMount, smallFileSystem } from '../../fault/small-file-system.ts'
import { testWith } from '../../kit/needs.ts'
import { logFixture } from './fixture.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const start = Date.parse('2026-06-01T00:00:00Z')

const memoryOf = (logs: Memory['logs']): Memory => ({ version: 1, logs, spaces: {} })

test('rememberSizes() counts what a log grew, also over a rotation and a truncation', () => {
  let logs: Memory['logs'] = {}
  const see = (hours: number, ino: number, size: number) => {
    logs = rememberSizes(logs, [{ path: '/a', ino, size }], start + hours * HOUR_MS)
  }
  see(0, 1, 1000)
  expect(growthPerDay(memoryOf(logs), '/a', start)).toBeUndefined()
  see(6, 1, 1600)
  see(12, 2, 100) // renamed and made anew
  see(18, 2, 40) // truncated
  expect(logs['/a']?.written).toBe(740)
  expect(growthPerDay(memoryOf(logs), '/a', start + 24 * HOUR_MS)).toBe(740)
  expect(growthPerDay(memoryOf(logs), '/b', start)).toBeUndefined()
})

test('rememberSizes() forgets logs that are gone, and keeps within the bounds of a memory', () => {
  const seen = Array.from({ length: 4000 }, (_, index) => ({
    path: `/var/log/some/application/with/a/long/name/${index}.log`,
    ino: 10_000_000 + index,
    size: 1_000_000_000 + index,
  }))
  let logs: Memory['logs'] = { '/gone': { ino: 1, size: 1, written: 0, points: [] } }
  for (let day = 0; day < 30; day++) logs = rememberSizes(logs, seen, start + day * DAY_MS)
  expect(logs['/gone']).toBeUndefined()
  const bytes = JSON.stringify(memoryOf(logs)).length
  expect(bytes).toBeLessThan(1_000_000)
  expect(Object.keys(logs)).toContain(seen.at(-1)?.path ?? '')
})

test('readMemory() begins anew with what it does not know', () => {
  const empty = { version: 1, logs: {}, spaces: {} }
  for (const wrong of [undefined, null, 'x', { version: 2 }, { version: 1, logs: { a: 1 } }]) {
    expect(readMemory(wrong)).toEqual(empty as Memory)
  }
})

test('keepPoints() is ordered and bounded, whatever the clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 200 }), (minutes) => {
      let points: Point[] = []
      for (const minute of minutes) points = keepPoints(points, [minute, 1], 180)
      expect(points.length).toBeLessThanOrEqual(66)
      expect(points.map(([minute]) => minute)).toEqual(
        points.map(([minute]) => minute).toSorted((a, b) => a - b),
      )
    }),
    { seed: 7 },
  )
})

/** Free space every six hours, by a function of the days gone by. */
function pointsOf(days: number, free: (day: number) => number): { points: Point[]; nowMs: number } {
  const points = Array.from({ length: days * 4 }, (_, index): Point => {
    return [(start + index * 6 * HOUR_MS) / 60_000, free(index / 4)]
  })
  return { points, nowMs: start + days * DAY_MS }
}

test('forecastFull() of a steady growth is when it ends', () => {
  const { points, nowMs } = pointsOf(6, (day) => 1500 - 100 * day)
  expect(Math.round((forecastFull(points, 900, nowMs) ?? 0) / DAY_MS)).toBe(9)
})

test('forecastFull() is not led astray by the daily up and down of rotation', () => {
  const { points, nowMs } = pointsOf(8, (day) => 10_000 - 300 * (day % 1))
  const flat = forecastFull(points, 10_000, nowMs)
  expect(flat === undefined || flat > 100 * DAY_MS).toBe(true)
})

test.each([
  ['too short a time', pointsOf(1, (day) => 1000 - 10 * day), 500],
  ['growing free space', pointsOf(5, (day) => 1000 + 10 * day), 1050],
  ['nothing', { points: [], nowMs: start }, 1],
])('forecastFull() says nothing of %s', (_, { points, nowMs }, free) => {
  expect(
    forecastFull(points.slice(0, 3), free, points.length > 4 ? nowMs - 4 * DAY_MS : nowMs),
  ).toBeUndefined()
  if (points.length > 4) expect(forecastFull(points, free, nowMs)).toBeUndefined()
})

test('spaceFindings() tells what is full within the time, and is silent about what is not', () => {
  const { points, nowMs } = pointsOf(6, (day) => 1500 - 100 * day)
  const memory: Memory = { version: 1, logs: {}, spaces: { '/var': points } }
  const spaces = [{ path: '/var', freeBytes: 900, totalBytes: 5000 }]
  const [finding] = spaceFindings(spaces, memory, 14 * DAY_MS, nowMs)
  expect(finding).toMatchObject({ rule: 'filesystem-full-soon', subject: '/var', severity: 'warning' })
  expect(finding?.summary).toContain('/var is full in 9d')
  expect(spaceFindings(spaces, memory, 5 * DAY_MS, nowMs)).toEqual([])
  expect(spaceMetrics(spaces, memory, nowMs)).toMatchObject([{ name: 'filesystem_full_timestamp_seconds' }])
})

testWith({ root: true, reason: canMount ? undefined : 'nothing can be mounted' })(
  'check finds a file system that fills up within the time, when it was watched for a day, until there is room again',
  async () => {
    using logs = logFixture({ paths: ['small/a.log'], size: '1G' })
    const mount = logs.path('small')
    using _ = smallFileSystem(mount, 'size=4m,mode=755')
    writeFileSync(`${mount}/a.log`, 'a line\n')
    let memory: Json | undefined
    const later = async () => {
      logs.nowMs += 8 * HOUR_MS
      const report = await logs.underTest().check(memory)
      memory = report.memory
      return report
    }
    const fill = (piece: number) => writeFileSync(`${mount}/piece-${piece}`, new Uint8Array(262_144))
    for (let piece = 0; piece < 3; piece++) {
      fill(piece)
      expect((await later()).findings).toEqual([])
    }
    fill(3)
    const { findings, metrics } = await later()
    expect(findings).toMatchObject([{ rule: 'filesystem-full-soon', subject: mount, severity: 'warning' }])
    const { freeBytes, fullInSeconds } = findings[0]?.evidence ?? {}
    expect(Number(freeBytes)).toBeWithin(3_000_000, 4 * 1_048_576 - 4 * 262_144)
    expect(Number(fullInSeconds)).toBe(Math.round((Number(freeBytes) / 262_144) * 8 * 3600))
    expect(findings[0]?.summary).toStartWith(`${mount} is full in 3d`)
    expect(metrics?.find(({ name }) => name === 'filesystem_full_timestamp_seconds')).toMatchObject({
      value: logs.nowMs / 1000 + Number(fullInSeconds),
      labels: { path: mount },
    })
    logs.config.fullWithin = '3d'
    expect((await logs.underTest().check(memory)).findings).toEqual([])
    logs.config.fullWithin = '14d'
    for (let piece = 0; piece < 4; piece++) rmSync(`${mount}/piece-${piece}`)
    await later()
    expect((await later()).findings).toEqual([])
  },
)
