import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import { waitUntil } from './wait.ts'

const message = z.object({
  type: z.string(),
  data: z.looseObject({
    job: z.string().optional(),
    finding: z.looseObject({ rule: z.string(), subject: z.string() }).optional(),
  }),
})
export type ReceivedMessage = z.infer<typeof message> & { id: string }

/** The other end of a webhook: it verifies each message as the public library of Standard Webhooks does. */
export class Sink implements AsyncDisposable {
  readonly received: ReceivedMessage[] = []
  /** Why messages were not verified. */
  readonly refused: string[] = []
  /** What it answers; 204 by default. */
  answer: () => Response = () => new Response(null, { status: 204 })
  readonly port: number
  private server: Bun.Server<undefined> | undefined

  constructor(private readonly secret: string) {
    this.up(0)
    this.port = this.server?.port ?? 0
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  up(port = this.port): void {
    this.server = Bun.serve({ hostname: '127.0.0.1', port, fetch: (request) => this.receive(request) })
  }

  async down(): Promise<void> {
    await this.server?.stop(true)
    this.server = undefined
  }

  private async receive(request: Request): Promise<Response> {
    try {
      const body = new Webhook(this.secret).verify(await request.text(), Object.fromEntries(request.headers))
      this.received.push({ ...message.parse(body), id: request.headers.get('webhook-id') ?? '' })
      return this.answer()
    } catch (error) {
      this.refused.push(String(error))
      return new Response(null, { status: 400 })
    }
  }

  /** "finding.opened wrong /srv/a", in the order of arrival. */
  get said(): string[] {
    return this.received.map(({ type, data: { finding } }) =>
      [type, finding?.rule, finding?.subject].filter(Boolean).join(' '),
    )
  }

  /** Waits until it has got so many messages. */
  async got(count: number, timeoutMs = 20_000): Promise<void> {
    await waitUntil(`${count} messages at the sink`, timeoutMs, () => this.received.length >= count)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
  }
}
