import { expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { webhookRequest } from '../../../../agent/alert/channels/webhook.ts'
import { alertId } from '../../../../agent/store/outbox.ts'
import { SECRET } from '../kit.ts'

const message = { messageId: alertId('finding 1', 'opened'), payload: '{"type":"finding.opened"}' }
const bytes = (length: number) => `whsec_${Buffer.alloc(length, 7).toString('base64')}`

test('webhookRequest() signs id, time and body as Standard Webhooks says', async () => {
  const now = 1_790_000_000_999
  const { headers, body } = await webhookRequest('ops', message, SECRET, now)
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64')
  const hmac = createHmac('sha256', key)
    .update(`${message.messageId}.1790000000.${message.payload}`)
    .digest('base64')
  expect(body).toBe(message.payload)
  expect(headers).toEqual({
    'content-type': 'application/json',
    'user-agent': 'reeve',
    'webhook-id': message.messageId,
    'webhook-timestamp': '1790000000',
    'webhook-signature': `v1,${hmac}`,
  })
})

test('webhookRequest() signs with each of several keys, so that either verifies while they are rotated', async () => {
  const secrets = [bytes(24), bytes(64)]
  const { headers, body } = await webhookRequest('ops', message, `${secrets.join(' ')}\n`, Date.now())
  expect(headers['webhook-signature']?.split(' ')).toHaveLength(2)
  for (const secret of secrets)
    expect(new Webhook(secret).verify(body, headers)).toEqual({ type: 'finding.opened' })
  expect(() => new Webhook(bytes(32)).verify(body, headers)).toThrow('No matching signature')
})

test.each([
  ['', 'nothing'],
  ['   ', 'nothing but spaces'],
  [bytes(23), 'a short key'],
  [bytes(65), 'a long key'],
  [Buffer.alloc(32, 7).toString('base64'), 'no prefix'],
  ['whsec_###########################################', 'no base64'],
  [`${bytes(32)} ${bytes(8)}`, 'one of two'],
])('webhookRequest() refuses %p (%s) and does not show it', async (secret) => {
  const failure = await webhookRequest('ops', message, secret, 0).then(
    () => '',
    (error) => String(error),
  )
  expect(failure).toContain('Cannot sign for the channel "ops"')
  for (const key of secret.split(/\s+/).filter((part) => part !== '')) expect(failure).not.toContain(key)
})
