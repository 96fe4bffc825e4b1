import { expect, test } from 'bun:test'
import type { Job } from '../../../agent/engine/job.ts'
import { Timetable } from '../../../agent/engine/timetable.ts'
import { waitUntil } from '../../kit/wait.ts'
import { job } from './kit.ts'

const EVERY_SECOND = { schedule: '* * * * * *' }

/** A timetable that notes which jobs were due. */
function noted() {
  const due: string[] = []
  return { due, timetable: new Timetable((dueJob: Job) => due.push(dueJob.name)) }
}

async function aSecond(due: string[], name: string): Promise<void> {
  const before = due.filter((each) => each === name).length
  await waitUntil(`${name} is due`, 3000, () => due.filter((each) => each === name).length > before)
}

test('Timetable says when a job is due, and not of one that is manual, disabled or refused', async () => {
  const { due, timetable } = noted()
  timetable.follow([
    job({ name: 'timed', ...EVERY_SECOND }),
    job({ name: 'manual', schedule: null }),
    job({ name: 'disabled', ...EVERY_SECOND, enabled: false }),
    job({ name: 'refused', ...EVERY_SECOND, refused: 'no' }),
  ])
  await aSecond(due, 'timed')
  await aSecond(due, 'timed')
  timetable.stop()
  expect(new Set(due)).toEqual(new Set(['timed']))
})

test('Timetable follows the last jobs only, and none when it is stopped', async () => {
  const { due, timetable } = noted()
  const first = [job({ name: 'first', ...EVERY_SECOND })]
  timetable.follow(first)
  timetable.follow([job({ name: 'second', ...EVERY_SECOND })])
  await aSecond(due, 'second')
  timetable.stop()
  timetable.follow(first)
  await aSecond(due, 'first')
  timetable.stop()
  expect(due.slice(0, due.indexOf('first'))).not.toContain('first')
  const count = due.length
  await Bun.sleep(1100)
  expect(due).toHaveLength(count)
})

test('Timetable keeps what waits by chance when it is told the same jobs again, and drops it for others', async () => {
  const { due, timetable } = noted()
  const jobs = [job({ name: 'late', ...EVERY_SECOND, jitterMs: 600 })]
  timetable.follow(jobs)
  // Told so all the time, it would never come to an end if it began anew each time.
  const teller = setInterval(() => timetable.follow(jobs), 5)
  await aSecond(due, 'late')
  clearInterval(teller)
  timetable.follow([])
  const count = due.length
  await Bun.sleep(1700)
  expect(due).toHaveLength(count)
})

test('Timetable misses nothing, and says nothing twice, when the thread was busy while a job was due', async () => {
  const { due, timetable } = noted()
  // The thread is free again in the middle of a second: the next full ones are two within the next two and a half.
  await Bun.sleep(1200 - (Date.now() % 1000))
  timetable.follow([
    job({ name: 'each-second', ...EVERY_SECOND }),
    job({ name: 'new-year', schedule: '0 0 1 1 *' }),
  ])
  Bun.sleepSync(2100)
  expect(due).toEqual([])
  const until = Date.now() - (Date.now() % 1000) + 2500
  await waitUntil('what was due is said', 500, () => due.length > 0)
  // Two seconds or three have passed, and it is due once for all of them.
  expect(due).toEqual(['each-second'])
  await waitUntil('two more seconds', 4000, () => Date.now() > until)
  timetable.stop()
  expect(due).toEqual(Array(3).fill('each-second'))
})

test('Timetable is in time for the second that begins while it is told, once', async () => {
  for (const before of [250, 60, 8]) {
    const { due, timetable } = noted()
    await Bun.sleep(1000 - (Date.now() % 1000) + 1000 - before)
    const told = Date.now()
    timetable.follow([job({ name: 'each-second', ...EVERY_SECOND })])
    const second = told - (told % 1000) + 1000
    await waitUntil('half of the second is over', 2000, () => Date.now() > second + 500)
    timetable.stop()
    expect({ before, due }).toEqual({ before, due: ['each-second'] })
  }
}, 15_000)
