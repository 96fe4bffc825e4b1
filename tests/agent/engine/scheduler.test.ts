import { expect, test } from 'bun:test'
import type { Job } from '../../../agent/engine/job.ts'
import { Scheduler } from '../../../agent/engine/scheduler.ts'
import { takeLock } from '../../../agent/host/lock.ts'
import { jobStatuses } from '../../../agent/store/status.ts'
import { Engine, job } from './kit.ts'

const HOUR = 3_600_000

class Scheduled extends Engine {
  readonly scheduler = new Scheduler(this.runner, this.parts)

  async start(...jobs: Job[]): Promise<void> {
    this.scheduler.start(jobs)
    await this.runner.drain(5000)
  }

  states(): Record<string, string> {
    return Object.fromEntries(
      jobStatuses(this.store, this.scheduler.planned()).map(({ name, state }) => [name, state]),
    )
  }

  rows(): string[] {
    return this.runs().map(({ job, trigger, outcome }) => `${job} ${trigger} ${outcome}`)
  }

  override [Symbol.dispose](): void {
    this.scheduler.stop()
    super[Symbol.dispose]()
  }
}

test('Scheduler runs at its start only what asks for it', async () => {
  using engine = new Scheduled()
  await engine.start(
    job({ name: 'plain' }),
    job({ name: 'at-start', runOnStart: true }),
    job({ name: 'disabled', runOnStart: true, enabled: false }),
    job({ name: 'refused', runOnStart: true, refused: 'no' }),
  )
  expect(engine.rows()).toEqual(['at-start start clean'])
})

const missed: [name: string, job: Partial<Job>, hours: number, rows: string[]][] = [
  ['nothing was due', {}, 0.2, []],
  ['one was due', {}, 1, ['watch schedule missed', 'watch catch-up clean']],
  ['many were due', {}, 9, ['watch schedule missed', 'watch catch-up clean']],
  ['it catches nothing up', { catchUp: false }, 9, ['watch schedule missed']],
  ['it runs at the start anyway', { runOnStart: true }, 9, ['watch schedule missed', 'watch catch-up clean']],
  ['it has no schedule', { schedule: null }, 9, []],
]
for (const [name, more, hours, rows] of missed) {
  test(`Scheduler records ${rows.join(' and ') || 'nothing'} after a pause when ${name}`, async () => {
    using engine = new Scheduled()
    await engine.run(job(more))
    engine.clock.now += hours * HOUR
    await engine.start(job(more))
    expect(engine.rows().slice(1)).toEqual(rows)
  })
}

test('Scheduler runs a job again whose last run was cut off', async () => {
  using engine = new Scheduled()
  await engine.run(job())
  engine.store.sqlite.run("UPDATE runs SET outcome = 'interrupted', finished_at = NULL")
  await engine.start(job())
  expect(engine.rows()).toEqual(['watch manual interrupted', 'watch catch-up clean'])
  expect(engine.runs()[0]).toMatchObject({ reason: 'reeve ended in the middle of it' })
})

test('Scheduler finds a job that did not start in time, once, until it has run', async () => {
  using engine = new Scheduled()
  const lock = takeLock(`${engine.path}/watch.lock`)
  await engine.start(job())
  engine.scheduler.look()
  expect(engine.news()).toEqual([])
  expect(engine.states()).toEqual({ watch: 'pending' })

  engine.clock.now += HOUR + 121_000
  for (const _ of Array(3)) engine.scheduler.look()
  expect(engine.news()).toEqual(['opened job-late job watch'])
  expect(engine.findings()).toMatchObject([
    { rule: 'job-late', severity: 'critical', summary: expect.stringContaining('2026-03-10T13:00:00.000Z') },
  ])
  expect(engine.states()).toEqual({ watch: 'late' })

  lock?.release()
  await engine.run(job())
  expect(engine.news()).toEqual(['resolved job-late job watch'])
  engine.scheduler.look()
  expect(engine.news()).toEqual([])
  expect(engine.states()).toEqual({ watch: 'ok' })
})

test('Scheduler does not call a job late that is new, or under way, or was given a new schedule', async () => {
  using engine = new Scheduled()
  await engine.start(job())
  engine.clock.now += HOUR + 121_000
  engine.scheduler.reload([job(), job({ name: 'new' })])
  const { promise, resolve } = Promise.withResolvers<{ status: 'done'; sandbox: null; answer: unknown }>()
  engine.answers.push(() => promise)
  engine.runner.start(job(), 'manual')
  engine.scheduler.look()
  expect(engine.news()).toEqual([])
  resolve({ status: 'done', sandbox: null, answer: { findings: [] } })
  await engine.runner.drain(5000)
})

test('Scheduler finds a job that may not run, until it may', async () => {
  using engine = new Scheduled()
  await engine.start(job({ refused: 'it asks for read /etc/shadow' }))
  expect(engine.findings()).toMatchObject([
    { rule: 'job-refused', severity: 'critical', summary: 'watch may not run: it asks for read /etc/shadow' },
  ])
  expect(engine.states()).toEqual({ watch: 'refused' })
  engine.scheduler.reload([job({ refused: 'it asks for read /etc/shadow' })])
  expect(engine.news()).toEqual(['opened job-refused job watch'])
  engine.scheduler.reload([job()])
  expect(engine.news()).toEqual(['resolved job-refused job watch'])
})

test('Scheduler schedules every job when what is wrong with one cannot be stored', async () => {
  using engine = new Scheduled()
  engine.store.sqlite.run(
    "CREATE TRIGGER full BEFORE INSERT ON findings BEGIN SELECT raise(ABORT, 'disk is full'); END",
  )
  const jobs = [job({ name: 'refused', refused: 'no' }), job({ name: 'due', schedule: '* * * * * *' })]
  engine.scheduler.start(jobs)
  const begun = Date.now()
  while (engine.runs().length === 0 && Date.now() - begun < 5000) await Bun.sleep(20)
  engine.scheduler.stop()
  await engine.runner.drain(5000)
  expect(engine.rows()).toContain('due schedule clean')
  expect(engine.states()).toMatchObject({ refused: 'refused' })
  expect(engine.log.map(({ message }) => message)).toContain('refused job not recorded')
})

test('a job whose last run was cut off is failed, whatever the run before it was', async () => {
  using engine = new Scheduled()
  await engine.start(job())
  await engine.run(job())
  expect(engine.states()).toEqual({ watch: 'ok' })
  const lock = takeLock(`${engine.path}/watch.lock`)
  const columns = "job, plugin, 'timer', mode, 'interrupted', started_at + 1, config_digest, version"
  engine.store.sqlite.run(
    `INSERT INTO runs (job, plugin, "trigger", mode, outcome, started_at, config_digest, version) SELECT ${columns} FROM runs`,
  )
  // Another process runs it: the state is still that of the run before.
  expect(engine.states()).toEqual({ watch: 'ok' })
  lock?.release()
  expect(engine.states()).toEqual({ watch: 'failed' })
  engine.scheduler.look()
  expect(engine.rows().at(-1)).toBe('watch timer interrupted')
  expect(engine.runs().at(-1)?.finishedAt).not.toBeNull()
  expect(engine.states()).toEqual({ watch: 'failed' })
  await engine.run(job())
  expect(engine.states()).toEqual({ watch: 'ok' })
})
