import { expect, setDefaultTimeout, test } from 'bun:test'
import { z } from 'zod'
import { listAudit } from '../../agent/store/audit.ts'
import { waitUntil } from '../kit/wait.ts'
import { isAlive } from '../kit/workspace.ts'
import { findings, finishedRun, PuppetHost, runNow, runs, startRun } from './puppet.ts'

setDefaultTimeout(60_000)

const SLEEP = ['/bin/sleep', '600']
/** Puts itself, and what it starts, into a process group of its own. */
const TIMEOUT = ['/usr/bin/timeout', '600', '/bin/sleep', '600']

const statusShape = z.looseObject({ state: z.string(), jobs: z.record(z.string(), z.number()) })

async function allGone(pids: number[]): Promise<void> {
  await waitUntil(`processes ${pids} are gone`, 5000, () => !pids.some(isAlive))
}

test('a worker that is killed in mid-run is a failed run, until the next good one', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', { wrong: ['/srv/a'] })
  const daemon = await host.daemon()
  await runNow(daemon, 'watch')

  host.tell('watch', { hang: 'politely', children: [SLEEP] })
  const id = await startRun(daemon, 'watch')
  const { worker, children } = await host.pids('watch')
  expect(children.map(isAlive)).toEqual([true])
  process.kill(worker, 'SIGKILL')
  expect(await finishedRun(daemon, id)).toMatchObject({ outcome: 'failed' })
  await allGone([worker, ...children])
  const open = await findings(daemon, '&state=open')
  expect(open.map(({ rule, subject }) => [rule, subject]).toSorted()).toEqual([
    ['job-failed', 'job watch'],
    // What was known before is neither confirmed nor withdrawn.
    ['wrong', '/srv/a'],
  ])
  expect(await daemon.ask('/v1/status', statusShape)).toMatchObject({
    state: 'failed',
    jobs: { failed: 1, ok: 0 },
  })

  host.tell('watch', { wrong: ['/srv/a'] })
  expect(await runNow(daemon, 'watch')).toMatchObject({ outcome: 'findings' })
  expect(await findings(daemon, '&state=open')).toMatchObject([{ rule: 'wrong', subject: '/srv/a' }])
  expect(await findings(daemon, '&state=resolved')).toMatchObject([{ rule: 'job-failed' }])
})

test('a daemon that is killed in mid-run takes the worker with it, and the next one closes the run', async () => {
  await using host = new PuppetHost()
  // The job without catch-up runs only when it is asked to: its row has to be closed without a run.
  host.jobs({ watch: {}, slow: { catchUp: false } })
  host.tell('watch', { wrong: ['/srv/a', '/srv/b'] })
  host.tell('slow', { hang: 'stubbornly' })
  const daemon = await host.daemon()
  await runNow(daemon, 'watch')
  const before = await findings(daemon)
  expect(before).toHaveLength(2)
  host.tell('watch', { hang: 'stubbornly', memory: 'never kept' })
  const ids = [await startRun(daemon, 'watch'), await startRun(daemon, 'slow')]
  const { worker } = await host.pids('watch')
  const { worker: other } = await host.pids('slow')
  await daemon.kill()
  await allGone([worker, other])
  // Before anybody has closed the runs.
  const status = await host.reeve(['status', '--json'])
  expect(status.exitCode).toBe(4)
  expect(JSON.parse(status.stdout)).toMatchObject({
    state: 'failed',
    jobs: [{ state: 'failed' }, { state: 'failed' }],
  })

  const next = await host.daemon()
  for (const id of ids) {
    expect(await finishedRun(next, id)).toMatchObject({
      outcome: 'interrupted',
      reason: 'reeve ended in the middle of it',
    })
  }
  expect(await next.ask('/v1/status', statusShape)).toMatchObject({ state: 'failed' })
  expect(await findings(next)).toEqual(before)

  host.tell('watch', { wrong: ['/srv/b', '/srv/c'] })
  expect(await runNow(next, 'watch')).toMatchObject({ outcome: 'findings' })
  const after = await findings(next)
  expect(after.map(({ subject, state }) => `${subject} ${state}`).toSorted()).toEqual([
    '/srv/a resolved',
    '/srv/b open',
    '/srv/c open',
  ])
  expect(await next.stop()).toBe(0)
})

test('a run that takes too long is ended with all that it has started', async () => {
  await using host = new PuppetHost()
  host.jobs({ stubborn: { timeout: '1s' }, polite: { timeout: '1s' } })
  // It does not listen to SIGTERM, and its children are in groups and sessions of their own.
  host.tell('stubborn', { hang: 'stubbornly', children: [SLEEP, TIMEOUT], escape: true })
  host.tell('polite', { hang: 'politely', children: [SLEEP, TIMEOUT] })
  const daemon = await host.daemon()
  const ids = [await startRun(daemon, 'stubborn'), await startRun(daemon, 'polite')]
  const stubborn = await host.pids('stubborn')
  const polite = await host.pids('polite')
  const all = [stubborn.worker, ...stubborn.children, polite.worker, ...polite.children]
  expect(all.map(isAlive)).toEqual(all.map(() => true))
  for (const id of ids) {
    expect(await finishedRun(daemon, id)).toMatchObject({
      outcome: 'timeout',
      reason: expect.stringContaining('took longer than'),
    })
  }
  // Gone when the run is over, not some time later.
  expect(all.filter(isAlive)).toEqual([])
  expect(zombiesOf(daemon.pid)).toEqual([])
  expect(await findings(daemon, '&state=open')).toMatchObject([
    { rule: 'job-failed' },
    { rule: 'job-failed' },
  ])
})

test('a worker that ends by itself leaves nothing behind, whatever session that is in', async () => {
  await using host = new PuppetHost()
  host.jobs({ quitter: {}, finisher: {} })
  host.tell('quitter', { exit: 0, children: [SLEEP, TIMEOUT], escape: true })
  host.tell('finisher', { children: [SLEEP, TIMEOUT], escape: true })
  const daemon = await host.daemon()
  expect(await runNow(daemon, 'quitter')).toMatchObject({ outcome: 'failed' })
  expect(await runNow(daemon, 'finisher')).toMatchObject({ outcome: 'clean' })
  for (const job of ['quitter', 'finisher']) {
    const { worker, children } = await host.pids(job)
    expect([worker, ...children].filter(isAlive)).toEqual([])
  }
  expect(zombiesOf(daemon.pid)).toEqual([])
})

/** Children of a process that nobody has waited for. */
function zombiesOf(pid: number): string[] {
  const { stdout } = Bun.spawnSync(['ps', '--ppid', String(pid), '-o', 'stat=,args='])
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('Z'))
}

test('a job runs once at a time: a second start is refused, one by the schedule is skipped', async () => {
  await using host = new PuppetHost()
  host.jobs({ slow: { schedule: '* * * * * *' } })
  host.tell('slow', { hang: 'politely' })
  const daemon = await host.daemon()
  await daemon.logged('run not started', { job: 'slow', trigger: 'schedule' })
  const again = await daemon.api('/v1/jobs/slow/run', { method: 'POST' })
  expect(again).toMatchObject({ status: 409, body: { type: 'urn:reeve:problem:job-running' } })
  expect(await host.run('slow')).toMatchObject({ outcome: 'locked', exitCode: 5 })
  // In a process of its own, past the daemon.
  const check = await host.reeve(['check', 'slow', '--json'])
  expect(check.exitCode).toBe(5)
  expect(JSON.parse(check.stdout)).toMatchObject([{ outcome: 'locked' }])
  const skipped = await runs(daemon, '&job=slow&outcome=skipped')
  expect(skipped.length).toBeGreaterThan(0)
  expect(skipped[0]).toMatchObject({ trigger: 'schedule', reason: 'the run before it still goes on' })
  const started = (await runs(daemon, '&job=slow')).filter((run) => run.outcome !== 'skipped')
  expect(started).toHaveLength(1)
})

test('SIGTERM lets a run end by itself, starts nothing more, and exits with 0', async () => {
  await using host = new PuppetHost()
  host.jobs({ slow: {} })
  host.tell('slow', { take: 1500, wrong: ['/srv/a'] })
  const daemon = await host.daemon()
  const id = await startRun(daemon, 'slow')
  await host.pids('slow')
  daemon.signal('SIGTERM')
  await daemon.logged('stopping')
  const late = await daemon.api('/v1/jobs/slow/run', { method: 'POST' })
  expect(late).toMatchObject({ status: 503, body: { type: 'urn:reeve:problem:stopping' } })
  expect((await daemon.api('/readyz')).status).toBe(503)
  expect(await daemon.stop()).toBe(0)
  using store = host.store()
  expect(store.sqlite.query('SELECT outcome FROM runs WHERE id = ?').get(id)).toEqual({ outcome: 'findings' })
})

test('a start catches up what was missed, once, and says how much that was', async () => {
  await using host = new PuppetHost()
  host.jobs({ hourly: { schedule: '0 * * * *' }, never: { schedule: '0 * * * *', catchUp: false } })
  host.tell('hourly', {})
  host.tell('never', {})
  await host.reeve(['run', '--all'])
  host.change(
    'UPDATE runs SET started_at = started_at - 3 * 3600000, finished_at = finished_at - 3 * 3600000',
  )
  const daemon = await host.daemon()
  await daemon.logged('run finished', { job: 'hourly' })
  const rows = async (job: string) =>
    (await runs(daemon, `&job=${job}`)).map(({ outcome, trigger, reason }) => [outcome, trigger, reason])
  const missed = ['missed', 'schedule', '3 scheduled runs missed while reeve was not running']
  expect(await rows('hourly')).toEqual([['clean', 'catch-up', null], missed, ['clean', 'manual', null]])
  expect(await rows('never')).toEqual([missed, ['clean', 'manual', null]])
  expect(await daemon.ask('/v1/jobs/never', z.looseObject({ state: z.string() }))).toMatchObject({
    state: 'late',
  })
})

test('a bad configuration on disk leaves the old one in force and is a finding, until a good one is there', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {} })
  host.tell('watch', {})
  host.tell('added', {})
  const daemon = await host.daemon()
  await runNow(daemon, 'watch')
  expect(await daemon.ask('/v1/status', statusShape)).toMatchObject({ state: 'ok' })

  host.jobs({ watch: {}, added: { schedul: '@daily' } })
  daemon.signal('SIGHUP')
  await daemon.logged('configuration refused')
  const [open] = await findings(daemon, '&state=open')
  expect(open).toMatchObject({ rule: 'configuration-refused', severity: 'critical' })
  expect(open?.summary).toContain('jobs.added.schedul: unknown key, did you mean "schedule"?')
  expect(await daemon.ask('/v1/status', statusShape)).toMatchObject({ state: 'critical' })
  expect((await daemon.api('/v1/jobs/added')).status).toBe(404)
  expect(await runNow(daemon, 'watch')).toMatchObject({ outcome: 'clean' })
  // The same by the API and by the command line, without a second finding.
  expect(await daemon.api('/v1/reload', { method: 'POST' })).toMatchObject({ status: 422 })
  expect(await host.reeve(['reload'])).toMatchObject({ exitCode: 2 })
  expect(await findings(daemon)).toHaveLength(1)

  host.jobs({ watch: {}, added: { schedule: '@daily' } })
  expect(await host.reeve(['reload'])).toMatchObject({ exitCode: 0, stdout: 'Reloaded: 2 jobs\n' })
  expect(await findings(daemon, '&state=open')).toEqual([])
  // Which configuration was in force when: by its digest.
  using store = host.store()
  const loads = listAudit(store, 9).filter(({ action }) => action.startsWith('configuration.'))
  expect(loads).toMatchObject([
    { action: 'configuration.reload', actor: 'daemon', object: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { action: 'configuration.start', actor: 'daemon', detail: { listen: '127.0.0.1:0' } },
  ])
  expect(loads[0]?.object).not.toBe(loads[1]?.object)
  expect(await runNow(daemon, 'added')).toMatchObject({ outcome: 'clean' })
  expect(await daemon.ask('/v1/status', statusShape)).toMatchObject({ state: 'ok' })
})

test('several reloads at once end with the last configuration, and with one of everything', async () => {
  await using host = new PuppetHost()
  host.jobs({ tick: { schedule: '* * * * * *' } })
  host.tell('tick', {})
  const daemon = await host.daemon()
  for (const _ of Array(5)) daemon.signal('SIGHUP')
  await Promise.all(Array.from({ length: 5 }, () => daemon.api('/v1/reload', { method: 'POST' })))
  const before = (await runs(daemon, '&job=tick')).length
  await waitUntil(
    'three more ticks',
    20_000,
    async () => (await runs(daemon, '&job=tick')).length >= before + 3,
  )
  const starts = (await runs(daemon, '&job=tick')).map((run) => Date.parse(String(run.startedAt)))
  const seconds = starts.map((at) => Math.floor(at / 1000))
  expect(new Set(seconds).size).toBe(seconds.length)
  expect(await daemon.stop()).toBe(0)
})

test('a job that was taken out of the configuration leaves no open finding', async () => {
  await using host = new PuppetHost()
  host.jobs({ watch: {}, gone: {} })
  host.tell('watch', {})
  host.tell('gone', { wrong: ['/srv/a'] })
  const daemon = await host.daemon()
  await runNow(daemon, 'gone')
  await runNow(daemon, 'watch')
  host.jobs({ watch: {} })
  expect(await host.reeve(['reload'])).toMatchObject({ exitCode: 0 })
  expect(await findings(daemon, '&state=open')).toEqual([])
  expect(await daemon.ask('/v1/status', statusShape)).toMatchObject({ state: 'ok' })
})

test('a second daemon on the same state is refused, and changes nothing for the first', async () => {
  await using host = new PuppetHost()
  host.jobs({})
  const daemon = await host.daemon()
  const second = await host.reeve(['daemon'])
  expect(second).toMatchObject({ exitCode: 2 })
  expect(second.stderr).toBe(
    `reeve: Cannot start: another reeve daemon already uses "${host.stateDir}" (see "reeve status")\n`,
  )
  expect((await daemon.api('/readyz')).status).toBe(200)
})
