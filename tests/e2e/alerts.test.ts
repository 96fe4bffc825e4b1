import { expect, setDefaultTimeout, test } from 'bun:test'
import { z } from 'zod'
import { Sink } from '../kit/sink.ts'
import { waitUntil } from '../kit/wait.ts'
import type { Daemon } from '../kit/workspace.ts'
import { PuppetHost, runNow, runs } from './puppet.ts'

setDefaultTimeout(60_000)

const SECRET = `whsec_${Buffer.from('a signing key of thirty-two byte').toString('base64')}`
const env = { REEVE_WEBHOOK_SECRET: SECRET }

function withChannel(sink: Sink, more: Record<string, unknown> = {}) {
  const channel = { name: 'operations', type: 'webhook', url: sink.url, secret: 'env:REEVE_WEBHOOK_SECRET' }
  return { alerts: { channels: [{ ...channel, ...more }] } }
}

const statusShape = z.looseObject({ alerts: z.looseObject({ pending: z.number(), dead: z.number() }) })
/** The sink has answered, and the daemon has written that down. */
const noted = (daemon: Daemon) =>
  waitUntil('no alert is pending', 5000, async () => (await undelivered(daemon)).pending === 0)
const undelivered = async (daemon: Daemon) => (await daemon.ask('/v1/status', statusShape)).alerts

test('each change of a finding is told once, also across restarts of the daemon', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  host.jobs({ watch: {} }, withChannel(sink))
  const expected: string[] = []
  const step = async (daemon: Daemon, wrong: string[], ...news: string[]) => {
    host.tell('watch', { wrong })
    await runNow(daemon, 'watch')
    expected.push(...news)
    await sink.got(expected.length)
    await noted(daemon)
    expect(sink.said.toSorted()).toEqual(expected.toSorted())
  }

  const first = await host.daemon({ env })
  await step(first, ['/a', '/b'], 'finding.opened wrong /a', 'finding.opened wrong /b')
  await step(first, ['/a', '/b'])
  await step(first, ['/b'], 'finding.resolved wrong /a')
  await first.stop()

  const second = await host.daemon({ env })
  await step(second, ['/a', '/b'], 'finding.regressed wrong /a')
  await second.kill()

  const third = await host.daemon({ env })
  await step(third, [], 'finding.resolved wrong /a', 'finding.resolved wrong /b')
  expect(await undelivered(third)).toMatchObject({ pending: 0, dead: 0 })
  expect(new Set(sink.received.map(({ id }) => id)).size).toBe(expected.length)
  expect(sink.refused).toEqual([])
})

test('alerts wait for a sink that is down, through a stop and a kill of the daemon', async () => {
  await using sink = new Sink(SECRET)
  await sink.down()
  await using host = new PuppetHost()
  host.jobs({ watch: {} }, withChannel(sink))
  host.tell('watch', { wrong: ['/a'] })
  const first = await host.daemon({ env })
  await runNow(first, 'watch')
  await first.logged('alert not delivered')
  expect(await undelivered(first)).toMatchObject({ pending: 1, dead: 0 })
  await first.stop()

  const second = await host.daemon({ env })
  host.tell('watch', { wrong: ['/a', '/b'] })
  await runNow(second, 'watch')
  await second.kill()

  sink.up()
  host.change('UPDATE outbox SET next_attempt_at = 0') // the time until the next attempt passes
  const third = await host.daemon({ env })
  await sink.got(2)
  await noted(third)
  host.tell('watch', {})
  await runNow(third, 'watch')
  await sink.got(4)
  expect(sink.said.slice(0, 2).toSorted()).toEqual(['finding.opened wrong /a', 'finding.opened wrong /b'])
  expect(sink.said.slice(2).toSorted()).toEqual(['finding.resolved wrong /a', 'finding.resolved wrong /b'])
  expect(sink.refused).toEqual([])
})

test('a job that fails or is blind is told once, and once more when it is well', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  host.jobs({ watch: {} }, withChannel(sink))
  const daemon = await host.daemon({ env })
  for (const script of [
    { fail: 'no' },
    { fail: 'still no' },
    { blind: ['/x'] },
    { blind: ['/x', '/y'] },
    {},
  ]) {
    host.tell('watch', script)
    await runNow(daemon, 'watch')
  }
  await sink.got(4)
  expect(sink.said).toEqual([
    'finding.opened job-failed job watch',
    'finding.opened job-blind job watch',
    'finding.resolved job-failed job watch',
    'finding.resolved job-blind job watch',
  ])
  expect(sink.refused).toEqual([])
})

test('a run that dies with the daemon loses no alert and doubles none', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  host.jobs({ watch: {} }, withChannel(sink))
  host.tell('watch', { wrong: ['/a'] })
  const first = await host.daemon({ env })
  await runNow(first, 'watch')
  await sink.got(1)
  await noted(first)
  host.tell('watch', { hang: 'stubbornly' })
  await first.api('/v1/jobs/watch/run', { method: 'POST' })
  await host.pids('watch')
  await first.kill()

  const second = await host.daemon({ env })
  host.tell('watch', { wrong: ['/a', '/b'] })
  await runNow(second, 'watch')
  await sink.got(2)
  expect((await runs(second)).map(({ outcome }) => outcome)).toEqual(['findings', 'interrupted', 'findings'])
  expect(sink.said).toEqual(['finding.opened wrong /a', 'finding.opened wrong /b'])
})

test('reeve run tells without a daemon, and what it could not tell a daemon tells later', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  host.jobs({ watch: {} }, withChannel(sink))
  host.tell('watch', { wrong: ['/a'] })
  expect(await host.run('watch', { env })).toMatchObject({ exitCode: 3 })
  expect(sink.said).toEqual(['finding.opened wrong /a'])

  await sink.down()
  host.tell('watch', {})
  expect(await host.run('watch', { env })).toMatchObject({ exitCode: 0 })
  const list = await host.reeve(['alerts'])
  expect(list.stdout).toMatch(/operations +finding\.resolved +pending +1 /)
  sink.up()
  host.change('UPDATE outbox SET next_attempt_at = 0') // the time until the next attempt passes
  await host.daemon({ env })
  await sink.got(2)
  expect(sink.said).toEqual(['finding.opened wrong /a', 'finding.resolved wrong /a'])
})

test('a removed channel, a severity that is too low and a waiver send nothing', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  const waivers = [
    {
      rule: 'wrong',
      subject: '/accepted',
      owner: 'ops@example.org',
      reason: 'on purpose',
      expires: '2999-01-01',
    },
  ]
  host.jobs({ watch: {} }, { ...withChannel(sink, { minimumSeverity: 'critical' }), waivers })
  const daemon = await host.daemon({ env })
  host.tell('watch', { wrong: ['/a'], severity: 'warning' })
  await runNow(daemon, 'watch')
  host.tell('watch', { wrong: ['/a', '/accepted'], severity: 'critical' })
  await runNow(daemon, 'watch')
  await sink.got(1)
  // It became graver: news for whoever has not heard of it.
  expect(sink.said).toEqual(['finding.regressed wrong /a'])
  expect(sink.received).toHaveLength(1)

  host.jobs({ watch: {} })
  await daemon.api('/v1/reload', { method: 'POST' })
  host.tell('watch', {})
  await runNow(daemon, 'watch')
  expect(await undelivered(daemon)).toMatchObject({ pending: 0 })
  expect(sink.received).toHaveLength(1)
})

test('reeve alerts test sends one signed message to each channel, and says why it did not arrive', async () => {
  await using sink = new Sink(SECRET)
  await using host = new PuppetHost()
  host.jobs({}, withChannel(sink))
  expect(await host.reeve(['alerts', 'test'], { env })).toMatchObject({
    exitCode: 0,
    stdout: 'operations: delivered\n',
  })
  expect(sink.said).toEqual(['reeve.test'])
  const wrong = await host.reeve(['alerts', 'test'], { env: { REEVE_WEBHOOK_SECRET: 'not a key at all' } })
  expect(wrong).toMatchObject({ exitCode: 4 })
  expect(wrong.stdout + wrong.stderr).not.toContain('not a key at all')
  expect(await host.reeve(['alerts', 'test', 'operation'], { env })).toMatchObject({ exitCode: 2 })
  await sink.down()
  const down = await host.reeve(['alerts', 'test'], { env })
  expect(down).toMatchObject({ exitCode: 4 })
  expect(down.stdout).toStartWith(`operations: Cannot send to "http://127.0.0.1:${sink.port}"`)
})
