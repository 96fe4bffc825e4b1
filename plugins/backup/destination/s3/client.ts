import { createHash } from 'node:crypto'
import type { AwsClient } from 'aws4fetch'
import type { DestinationConfig } from '../config.ts'

export type S3Config = Extract<DestinationConfig, { type: 's3' }>

export interface S3Credentials {
  accessKeyId: string
  secretAccessKey: string
}

/** What the store answered instead of doing what was asked. */
export class S3Error extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

const TRIES = 5
const FIRST_PAUSE_MS = 500
const ANSWER_MAX_BYTES = 1_048_576
/** A store that does not answer in this time, beside what is sent, is taken for dead: others wait for it. */
export const SILENCE_MS = 30_000
const SLOWEST_BYTES_PER_SECOND = 70_000
/** Of a request that gets no answer at all. */
const SILENT_TRIES = 2
const RETRIED_STATUS = [429, 500, 502, 503, 504]

/**
 * Signed requests for what the runtime's own client has not: uploads that go on after the end of a process, object
 * lock, checksums of what is sent, an end in time.
 */
export class S3Requests {
  private constructor(
    private readonly client: AwsClient,
    private readonly base: string,
    private readonly signal: AbortSignal,
  ) {}

  static async open(config: S3Config, credentials: S3Credentials, signal: AbortSignal): Promise<S3Requests> {
    const { AwsClient } = await import('aws4fetch')
    const client = new AwsClient({ ...credentials, service: 's3', region: config.region, retries: 0 })
    return new S3Requests(client, `${new URL(config.endpoint).origin}/${config.bucket}/`, signal)
  }

  /** Text of the answer and its headers. Throws S3Error for any status but 2xx. */
  async send(
    method: 'PUT' | 'POST' | 'DELETE',
    key: string,
    query: Record<string, string>,
    body?: { content: Uint8Array<ArrayBuffer>; headers?: Record<string, string> },
  ): Promise<{ text: string; headers: Headers }> {
    const url = `${this.base}${key.split('/').map(encodeURIComponent).join('/')}${queryText(query)}`
    const content = body?.content ?? new Uint8Array(0)
    const headers = {
      'x-amz-content-sha256': createHash('sha256').update(content).digest('hex'),
      // Stores want it where an object is locked, and compare it in any case.
      'content-md5': createHash('md5').update(content).digest('base64'),
      'content-type': 'application/octet-stream',
      ...body?.headers,
    }
    for (let attempt = 1; ; attempt++) {
      this.signal.throwIfAborted()
      try {
        return await this.sendOnce(url, method, headers, content)
      } catch (error) {
        this.signal.throwIfAborted()
        const tries = isTimeout(error) ? SILENT_TRIES : TRIES
        if (attempt >= tries || (error instanceof S3Error && !RETRIED_STATUS.includes(Number(error.code))))
          throw plain(error)
        await Bun.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1))
      }
    }
  }

  private async sendOnce(
    url: string,
    method: string,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<{ text: string; headers: Headers }> {
    const request = await this.client.sign(url, { method, headers, body })
    const timeoutMs = SILENCE_MS + (body.length / SLOWEST_BYTES_PER_SECOND) * 1000
    const response = await fetch(request, {
      redirect: 'error',
      signal: AbortSignal.any([this.signal, AbortSignal.timeout(timeoutMs)]),
    })
    const text = (await response.text()).slice(0, ANSWER_MAX_BYTES)
    if (response.ok) return { text, headers: response.headers }
    const retried = RETRIED_STATUS.includes(response.status)
    throw new S3Error(
      retried ? String(response.status) : (elementOf(text, 'Code') ?? `HTTP ${response.status}`),
      explainCode(elementOf(text, 'Code'), elementOf(text, 'Message') ?? `it answers ${response.status}`),
    )
  }
}

function queryText(query: Record<string, string>): string {
  const text = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  return text.length > 0 ? `?${text.join('&')}` : ''
}

/** Text of the first element of that name: enough for the answers of S3, which are flat. */
export function elementOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]{0,2000})</${name}>`).exec(xml)?.[1]
  return text?.replace(/&(quot|amp|lt|gt|#34|#39|apos);/g, (_, entity: string) => ENTITIES[entity] ?? '')
}

const ENTITIES: Record<string, string> = {
  quot: '"',
  '#34': '"',
  amp: '&',
  lt: '<',
  gt: '>',
  '#39': "'",
  apos: "'",
}

const EXPLANATIONS: Record<string, string> = {
  InvalidAccessKeyId: 'the access key ID is not known there',
  SignatureDoesNotMatch: 'the secret access key is wrong, or the region is',
  AccessDenied: 'the access key is not allowed to do it',
  NoSuchBucket: 'there is no such bucket',
  RequestTimeTooSkewed: 'the clock of this host is wrong',
  ConnectionRefused: 'connection refused',
  ConnectionClosed: 'the connection was lost',
  FailedToOpenSocket: 'cannot connect',
  InvalidResponse: 'what it answers is not S3',
}

/** An error code of S3, or of the runtime's client, in words. */
export function explainCode(code: string | undefined, message: string): string {
  return (code !== undefined && EXPLANATIONS[code]) || message
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}

/** The error of a request that got no answer, in words. */
function plain(error: unknown): unknown {
  if (error instanceof S3Error || !(error instanceof Error)) return error
  if (isTimeout(error)) return new Error('it has not answered in time', { cause: error })
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return new Error(explainCode(code, error.message), { cause: error })
}
