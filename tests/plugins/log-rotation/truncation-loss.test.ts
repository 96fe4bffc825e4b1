import { expect, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { estimateLoss } from '../../../plugins/log-rotation/truncation-loss.ts'
import { logFixture, rules } from './fixture.ts'

test.each([
  ['a log that nobody writes to', 0, 100, 1, 0],
  ['a quiet writer', 200, 2000, 0.02, 0],
  ['a busy writer', 1_000_000, 1000, 0.02, 20],
  ['a log that became smaller', -50, 1000, 1, 0],
  ['no time at all', 50, 0, 1, 0],
])('estimateLoss() of %s', (_, bytes, overMs, gapMs, lost) => {
  expect(estimateLoss({ bytes, overMs }, gapMs)).toBe(lost)
})

test('copytruncate of a quiet log reports no loss', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, method: 'copytruncate' })
  appendFileSync(logs.path('app.log'), 'one\n')
  expect(rules((await logs.enforce()).applied)).toEqual([])
})

test('copytruncate of a log that grows by megabytes a second tells that lines may be lost', async () => {
  using logs = logFixture({
    paths: ['app.log'],
    size: 1,
    method: 'copytruncate',
    compress: 'none',
    keep: 1000,
  })
  const log = logs.path('app.log')
  appendFileSync(log, 'x'.repeat(5_000_000))
  const writer = Bun.spawn(['/bin/sh', '-c', 'while :; do head -c 65536 /dev/zero; done >> "$0"', log])
  try {
    const told = async () => rules((await logs.enforce()).applied).includes('lines-may-be-lost')
    for (let attempt = 0; !(await told()); attempt++) expect(attempt).toBeLessThan(50)
  } finally {
    writer.kill()
    await writer.exited
  }
})
