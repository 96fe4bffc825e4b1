import S3rver, { type Context } from '@20minutes/s3rver'
import { DUMMY_ACCOUNT } from '@20minutes/s3rver/lib/models/account.js'
import { temporaryDirectory } from './plugin.ts'

const BUCKET = 'backups'
/** Long enough for a secret. */
export const S3_CREDENTIALS = { S3_KEY_ID: 'reeve-test-key-id', S3_KEY: 'reeve-test-secret-access-key' }
export const S3_SECRETS = { 'env:S3_KEY_ID': S3_CREDENTIALS.S3_KEY_ID, 'env:S3_KEY': S3_CREDENTIALS.S3_KEY }
DUMMY_ACCOUNT.createKeyPair(S3_CREDENTIALS.S3_KEY_ID, S3_CREDENTIALS.S3_KEY)

type Answer = { status: number; code: string } | undefined
/** What one request is answered with instead; undefined lets the store answer. A promise makes it wait. */
export type Interception = (context: Context) => Answer | Promise<Answer>

/** An S3-compatible store on a free port of this host, with one bucket; ended by `using`. */
export class S3Server implements AsyncDisposable {
  private readonly directory = temporaryDirectory('reeve-s3')
  private server: S3rver | undefined
  port = 0
  intercept: Interception = () => undefined
  /** Of every request, oldest first. */
  readonly requests: Pick<Context, 'method' | 'path' | 'query' | 'headers'>[] = []

  static async start(): Promise<S3Server> {
    const server = new S3Server()
    await server.resume()
    return server
  }

  /** Starts it on its port, after `stop` too. */
  async resume(): Promise<void> {
    this.server = new S3rver({
      address: '127.0.0.1',
      port: this.port,
      silent: true,
      // It takes "/bucket/?list" for "/bucket?list", which is signed otherwise.
      allowMismatchedSignatures: true,
      directory: this.directory.path,
      configureBuckets: [{ name: BUCKET }],
    })
    this.server.middleware.unshift(async (context, next) => {
      const { method, path, query, headers } = context
      this.requests.push({ method, path, query: { ...query }, headers })
      const answer = await this.intercept(context)
      if (!answer) return next()
      context.status = answer.status
      context.type = 'application/xml'
      context.body = `<Error><Code>${answer.code}</Code><Message>as the test wants it</Message></Error>`
    })
    this.port = (await this.server.run()).port
  }

  async stop(): Promise<void> {
    await this.server?.close()
    this.server = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.directory[Symbol.dispose]()
  }

  /** A destination in the configuration of a backup. */
  destination(prefix = '', name = 'cloud') {
    return {
      name,
      type: 's3' as const,
      endpoint: `http://127.0.0.1:${this.port}`,
      bucket: BUCKET,
      prefix,
      accessKeyId: 'env:S3_KEY_ID',
      secretAccessKey: 'env:S3_KEY',
    }
  }

  /** The runtime's own client, to look at what is there. */
  client(): Bun.S3Client {
    return new Bun.S3Client({
      accessKeyId: S3_CREDENTIALS.S3_KEY_ID,
      secretAccessKey: S3_CREDENTIALS.S3_KEY,
      endpoint: `http://127.0.0.1:${this.port}`,
      bucket: BUCKET,
    })
  }

  async keys(prefix = ''): Promise<string[]> {
    const { contents = [] } = await this.client().list({ prefix })
    return contents.map(({ key }) => key).sort()
  }
}
