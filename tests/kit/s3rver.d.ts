declare module '@20minutes/s3rver/lib/models/account.js' {
  export const DUMMY_ACCOUNT: { createKeyPair(accessKeyId: string, secretAccessKey: string): void }
}

declare module '@20minutes/s3rver' {
  import type { IncomingMessage } from 'node:http'

  /** The parts of a Koa context that tests look at. */
  export interface Context {
    method: string
    path: string
    query: Record<string, string | undefined>
    headers: IncomingMessage['headers']
    status: number
    type: string
    body: unknown
  }

  export default class S3rver {
    constructor(options: {
      address: string
      port: number
      silent: boolean
      allowMismatchedSignatures: boolean
      directory: string
      configureBuckets: { name: string }[]
    })
    /** Koa's; what stands first is called first. */
    middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[]
    run(): Promise<{ port: number }>
    close(): Promise<void>
  }
}
