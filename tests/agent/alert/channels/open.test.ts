import { expect, test } from 'bun:test'
import { type ChannelOptions, openChannel, testChannel } from '../../../../agent/alert/channels/open.ts'
import { findingPayload } from '../../../../agent/alert/payload.ts'
import { channelSchema } from '../../../../agent/config/schema.ts'
import { UserError } from '../../../../agent/lib/errors.ts'
import { Redactor } from '../../../../agent/lib/redact.ts'
import { alertId } from '../../../../agent/store/outbox.ts'
import { CONTEXT, ManualClock, SECRET, startSink, transition, webhook } from '../kit.ts'

const never = new AbortController().signal
const other = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

function options(secrets: Record<string, string>): ChannelOptions & { clock: ManualClock } {
  const redactor = new Redactor()
  return {
    allowedHosts: [],
    clock: new ManualClock(),
    redact: (text) => redactor.text(text),
    resolveSecret(reference) {
      const value = secrets[reference]
      if (value === undefined) throw new UserError(`Cannot resolve the secret "${reference}": it is not set`)
      redactor.add(value)
      return value
    },
  }
}

const message = (subject: string) => ({
  messageId: alertId('finding 1', 'opened'),
  payload: findingPayload(transition({ subject }), 'web1'),
})

test('testChannel() sends one signed message of type reeve.test', async () => {
  const given = options({ 'env:SECRET': SECRET })
  using sink = startSink(given.clock)
  const channel = openChannel(webhook(sink.url), given)
  expect(await testChannel(channel, CONTEXT, given.clock.now(), never)).toEqual({ kind: 'delivered' })
  expect(sink.refused).toEqual([])
  expect(JSON.parse(sink.received[0]?.body ?? '')).toEqual({
    type: 'reeve.test',
    timestamp: new Date(given.clock.now()).toISOString(),
    data: {
      host: 'web1.example.org',
      channel: 'ops',
      summary: 'Test of the alert channel "ops": reeve can reach it',
    },
  })
})

test('testChannel() says why it failed', async () => {
  const given = options({})
  const channel = openChannel(webhook('https://hooks.example.org/x'), given)
  expect(await testChannel(channel, CONTEXT, 0, never)).toEqual({
    kind: 'retry',
    reason: 'Cannot resolve the secret "env:SECRET": it is not set',
  })
})

test('openChannel() resolves its secret anew for each message, so that a rotated one is used at once', async () => {
  const secrets = { 'env:SECRET': SECRET }
  const given = options(secrets)
  using sink = startSink(given.clock)
  const channel = openChannel(webhook(sink.url), given)
  expect(await channel.send(message('/srv/1'), never)).toEqual({ kind: 'delivered' })
  secrets['env:SECRET'] = other
  expect(await channel.send(message('/srv/2'), never)).toEqual({
    kind: 'retry',
    reason: 'HTTP 401: bad signature',
  })
  secrets['env:SECRET'] = `${other} ${SECRET}`
  expect(await channel.send(message('/srv/3'), never)).toEqual({ kind: 'delivered' })
  expect(sink.received.map((item) => item.subject)).toEqual(['/srv/1', '/srv/3'])
})

test('openChannel() hides a known secret in what it sends, and what it sends is still signed', async () => {
  const given = options({ 'env:SECRET': SECRET, 'env:TOKEN': 'correct-horse-battery' })
  given.resolveSecret('env:TOKEN')
  using sink = startSink(given.clock)
  const channel = openChannel(webhook(sink.url), given)
  await channel.send(message('/srv/correct-horse-battery.txt'), never)
  expect(sink.received[0]?.subject).toBe('/srv/[redacted].txt')
  expect(sink.refused).toEqual([])
})

test('openChannel() takes a slack channel whose URL is a secret', async () => {
  const secrets: Record<string, string> = {}
  const given = options(secrets)
  using sink = startSink(given.clock, { secret: null })
  secrets['env:SLACK'] = `http://127.0.0.1:${sink.port}/services/T0/B0/very-secret-part`
  const channel = openChannel(channelSchema.parse({ name: 'chat', type: 'slack', url: 'env:SLACK' }), given)
  expect(await channel.send(message('/srv/1'), never)).toEqual({ kind: 'delivered' })
  expect(sink.received[0]?.path).toBe('/services/T0/B0/very-secret-part')
  expect(sink.received[0]?.headers).not.toHaveProperty('webhook-signature')
  expect(JSON.parse(sink.received[0]?.body ?? '').text).toContain('`/srv/1`')
})

test('openChannel() refuses a host that is not listed, and a reason is one bounded line', async () => {
  const given = { ...options({ 'env:SECRET': SECRET }), allowedHosts: ['hooks.example.org'] }
  using sink = startSink(given.clock)
  const refused = await openChannel(webhook(sink.url), given).send(message('/srv/1'), never)
  expect(refused).toMatchObject({ kind: 'retry', reason: expect.stringContaining('alerts.allowedHosts') })
  expect(sink.received).toEqual([])

  sink.answer = () => new Response(`\u001b[2J first\nsecond ${'x'.repeat(4000)}`, { status: 500 })
  const failed = await openChannel(webhook(sink.url), { ...given, allowedHosts: [] }).send(
    message('/srv/1'),
    never,
  )
  if (failed.kind === 'delivered') throw new Error('it was refused by the sink')
  expect(failed.reason).toStartWith('HTTP 500: [2J first second xxx')
  expect(failed.reason).toHaveLength(501)
})
