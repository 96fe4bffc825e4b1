import type { ChannelConfig } from '../../config/schema.ts'
import { describeError } from '../../lib/errors.ts'
import { alertId } from '../../store/outbox.ts'
import { type Channel, judgeAnswer, type Message, type Verdict } from '../channel.ts'
import { type EgressOptions, type PostRequest, post } from '../egress.ts'
import { testPayload } from '../payload.ts'
import type { AlertContext } from '../policy.ts'
import { webhookRequest } from './webhook.ts'

export interface ChannelOptions extends EgressOptions {
  /** The value of a secret reference; asked for at every attempt, so a rotated secret is used at once. */
  resolveSecret: (reference: string) => string
  /** Hides secrets: everything that is sent or kept goes through it. */
  redact: (text: string) => string
}

const MAX_REASON = 500

/** A channel of the configuration, ready to send. */
export function openChannel(config: ChannelConfig, options: ChannelOptions): Channel {
  return {
    name: config.name,
    async send(message, signal): Promise<Verdict> {
      try {
        const clean = { ...message, payload: options.redact(message.payload) }
        const answer = await post(await toRequest(config, clean, options), options, signal)
        const verdict = judgeAnswer(answer, options.clock.now())
        if (verdict.kind === 'delivered') return verdict
        return { ...verdict, reason: presentable(verdict.reason, options.redact) }
      } catch (error) {
        return { kind: 'retry', reason: presentable(describeError(error), options.redact) }
      }
    },
  }
}

async function toRequest(
  config: ChannelConfig,
  message: Message,
  { resolveSecret, clock }: ChannelOptions,
): Promise<PostRequest> {
  const url = /^https?:\/\//.test(config.url) ? config.url : resolveSecret(config.url)
  switch (config.type) {
    case 'webhook': {
      const secret = resolveSecret(config.secret)
      return { url, ...(await webhookRequest(config.name, message, secret, clock.now())) }
    }
    case 'slack': {
      // Loaded with the first message: its schema takes longer to build than a daemon has to start.
      const { slackBody } = await import('./slack.ts')
      const headers = { 'content-type': 'application/json', 'user-agent': 'reeve' }
      return { url, headers, body: slackBody(JSON.parse(message.payload)) }
    }
  }
}

/** One line without control characters: a receiver's answer must not act on a terminal or a log. */
function presentable(reason: string, redact: (text: string) => string): string {
  const line = redact(reason).replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON)}…` : line
}

/** Sends a message of type "reeve.test" at once, past the outbox: for a person who sets up a channel. */
export async function testChannel(
  channel: Channel,
  context: AlertContext,
  now: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const message = {
    messageId: alertId(`${context.instance}\0test\0${channel.name}`, String(now)),
    payload: testPayload(channel.name, context.host, now),
  }
  return channel.send(message, signal)
}
