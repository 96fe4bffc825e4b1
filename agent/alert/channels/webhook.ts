import { UserError } from '../../lib/errors.ts'
import type { Message } from '../channel.ts'

/**
 * The request of a Standard Webhooks 1.0.0 message: its payload as it is, signed with every key of `secret`
 * (several, separated by spaces, while keys are rotated) and with the time of this attempt.
 * Throws UserError for a key that is not "whsec_" and base64 of 24 to 64 bytes; it never shows the key.
 */
export async function webhookRequest(
  channel: string,
  message: Message,
  secret: string,
  now: number,
): Promise<{ headers: Record<string, string>; body: string }> {
  const { Webhook } = await import('standardwebhooks')
  const keys = secret.split(/\s+/).filter((key) => key !== '')
  if (keys.length === 0 || !keys.every(isSigningKey)) {
    throw new UserError(
      `Cannot sign for the channel "${channel}": wanted a secret of "whsec_" and base64 of 24 to 64 bytes; make ` +
        'one with: echo "whsec_$(openssl rand -base64 32)"',
    )
  }
  const signedAt = new Date(now)
  const signatures = keys.map((key) => new Webhook(key).sign(message.messageId, signedAt, message.payload))
  return {
    headers: {
      'content-type': 'application/json',
      'user-agent': 'reeve',
      'webhook-id': message.messageId,
      'webhook-timestamp': String(Math.floor(now / 1000)),
      'webhook-signature': signatures.join(' '),
    },
    body: message.payload,
  }
}

function isSigningKey(key: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(key)) return false
  const { length } = Buffer.from(key.slice('whsec_'.length), 'base64')
  return length >= 24 && length <= 64
}
