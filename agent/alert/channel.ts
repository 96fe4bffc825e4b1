import { parseRetryAfter } from './backoff.ts'

/** What goes out: an id that is constant over retries, and the JSON of `payload.ts`. */
export interface Message {
  messageId: string
  payload: string
}

/** What became of one attempt. A reason is for people: bounded, redacted, without any URL's path. */
export type Verdict =
  | { kind: 'delivered' }
  | { kind: 'retry'; reason: string; retryAfterMs?: number | undefined }
  /** The receiver is gone for good (410): trying again is of no use. */
  | { kind: 'gone'; reason: string }

export interface Channel {
  readonly name: string
  /** Makes one attempt. Never throws; ends promptly when aborted. */
  send(message: Message, signal: AbortSignal): Promise<Verdict>
}

/** What a receiver answered. */
export interface Answer {
  status: number
  retryAfter: string | undefined
  /** The first bytes of the body as text; "" for a 2xx, whose body is not read. */
  body: string
}

/** Only 2xx is a success (Standard Webhooks 1.0.0); everything but 410 may be different next time. */
export function judgeAnswer(answer: Answer, now: number): Verdict {
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (status === 410) return { kind: 'gone', reason: describe(answer, 'the receiver is gone for good') }
  if (status >= 300 && status < 400) {
    return {
      kind: 'retry',
      reason: describe(answer, 'it redirects, which is not followed; set the URL it leads to'),
    }
  }
  const retryAfterMs = status === 429 || status === 503 ? parseRetryAfter(answer.retryAfter, now) : undefined
  return { kind: 'retry', reason: describe(answer), retryAfterMs }
}

function describe(answer: Answer, meaning?: string): string {
  return [`HTTP ${answer.status}`, meaning, answer.body.trim() || undefined]
    .filter((part) => part !== undefined)
    .join(': ')
}
