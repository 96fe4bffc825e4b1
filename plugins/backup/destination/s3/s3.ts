import { locationOf } from '../config.ts'
import {
  type Destination,
  type KnownObject,
  type ObjectSink,
  RemovalRefusedError,
  type StoredObject,
} from '../destination.ts'
import type { UploadNotes } from '../upload-notes.ts'
import { explainCode, type S3Config, type S3Credentials, S3Error, S3Requests, SILENCE_MS } from './client.ts'
import { PartUpload } from './upload.ts'

/** A list of more is not of backups. */
const LIST_MAX = 100_000
const DAY_MS = 86_400_000

/** Backups as objects of a bucket. */
export class S3Destination implements Destination {
  readonly name: string
  readonly location: string
  private readonly client: Bun.S3Client

  private constructor(
    private readonly config: S3Config,
    credentials: S3Credentials,
    private readonly requests: S3Requests,
    private readonly notes: UploadNotes | undefined,
    private readonly signal: AbortSignal,
  ) {
    this.name = config.name
    this.location = locationOf(config)
    this.client = new Bun.S3Client({
      ...credentials,
      endpoint: config.endpoint,
      bucket: config.bucket,
      region: config.region,
    })
  }

  /** Throws with the reason when the bucket cannot be looked at. `notes` are for one who uploads. */
  static async open(
    config: S3Config,
    credentials: S3Credentials,
    notes: UploadNotes | undefined,
    signal: AbortSignal,
  ): Promise<S3Destination> {
    const requests = await S3Requests.open(config, credentials, signal)
    const destination = new S3Destination(config, credentials, requests, notes, signal)
    await destination.attempt(() => destination.client.list({ prefix: config.prefix, delimiter: '/' }))
    return destination
  }

  async stat(name: string): Promise<StoredObject | undefined> {
    try {
      const { size, lastModified } = await this.attempt(() => this.client.stat(this.key(name)))
      return { name, bytes: size, mtimeMs: wholeSeconds(lastModified) }
    } catch (error) {
      if (error instanceof S3Error && (error.code === 'NoSuchKey' || error.code === 'NotFound'))
        return undefined
      throw error
    }
  }

  async list(): Promise<StoredObject[]> {
    const { prefix } = this.config
    const objects: StoredObject[] = []
    for (let continuationToken: string | undefined; ; ) {
      const page = await this.attempt(() =>
        this.client.list({ prefix, delimiter: '/', ...(continuationToken ? { continuationToken } : {}) }),
      )
      for (const { key, size = 0, lastModified } of page.contents ?? []) {
        const mtimeMs = wholeSeconds(new Date(lastModified ?? Number.NaN))
        if (key !== prefix) objects.push({ name: key.slice(prefix.length), bytes: size, mtimeMs })
      }
      if (objects.length > LIST_MAX) throw new Error(`there are more than ${LIST_MAX} objects`)
      continuationToken = page.nextContinuationToken
      if (!page.isTruncated || !continuationToken) return objects
    }
  }

  async *read(name: string, from = 0): AsyncGenerator<Uint8Array> {
    const file = this.client.file(this.key(name))
    const stream = (from > 0 ? file.slice(from) : file).stream()
    const stop = () => void stream.cancel().catch(() => {})
    this.signal.addEventListener('abort', stop, { once: true })
    try {
      for await (const chunk of stream) {
        this.signal.throwIfAborted()
        yield chunk
      }
    } catch (error) {
      throw this.explain(error)
    } finally {
      this.signal.removeEventListener('abort', stop)
    }
  }

  async freeBytes(): Promise<undefined> {
    return undefined
  }

  async exposure(): Promise<undefined> {
    return undefined
  }

  async create(name: string, known?: KnownObject): Promise<ObjectSink> {
    const key = this.key(name)
    const upload = new PartUpload(this.requests, key, {
      location: this.location,
      known,
      notes: this.notes,
      headers: this.lockHeaders(),
    })
    return {
      offset: await upload.begin(),
      write: (chunk) => upload.write(chunk),
      commit: async () => {
        if (await this.stat(name)) throw new Error(`"${name}" exists already`)
        await upload.commit()
      },
      abort: () => upload.abort(),
    }
  }

  async put(name: string, content: Uint8Array): Promise<void> {
    await this.requests.send('PUT', this.key(name), {}, { content: Uint8Array.from(content) })
  }

  async remove(name: string): Promise<void> {
    try {
      await this.requests.send('DELETE', this.key(name), {})
    } catch (error) {
      if (!(error instanceof S3Error) || !REFUSED.includes(error.code)) throw error
      throw new RemovalRefusedError('the access key may not remove objects, or they are locked', {
        cause: error,
      })
    }
  }

  async removeUnfinished(keep?: KnownObject): Promise<number> {
    const left = this.notes?.at(this.location).filter(({ sha256 }) => sha256 !== keep?.sha256) ?? []
    for (const { uploadId, key } of left) {
      // Where it may not be done, the bucket's own rules for unfinished uploads have to.
      await this.requests.send('DELETE', key, { uploadId }).catch((error) => {
        if (!(error instanceof S3Error)) throw error
      })
      this.notes?.drop(uploadId)
    }
    return left.length
  }

  async close(): Promise<void> {}

  private lockHeaders(): Record<string, string> {
    const { objectLock } = this.config
    if (!objectLock) return {}
    return {
      'x-amz-object-lock-mode': objectLock.mode.toUpperCase(),
      'x-amz-object-lock-retain-until-date': new Date(Date.now() + objectLock.days * DAY_MS).toISOString(),
    }
  }

  private key(name: string): string {
    if (name === '' || name.includes('/')) throw new Error(`Cannot use "${name}" as the name of a backup`)
    return `${this.config.prefix}${name}`
  }

  /** A call of the runtime's client, which takes no signal. */
  private async attempt<T>(call: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    const silence = Promise.withResolvers<never>()
    const seconds = SILENCE_MS / 1000
    const timer = setTimeout(
      () => silence.reject(new Error(`it has not answered for ${seconds} seconds`)),
      SILENCE_MS,
    )
    const stop = () => silence.reject(this.signal.reason)
    this.signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([call(), silence.promise])
    } catch (error) {
      throw this.explain(error)
    } finally {
      clearTimeout(timer)
      this.signal.removeEventListener('abort', stop)
    }
  }

  private explain(error: unknown): unknown {
    this.signal.throwIfAborted()
    if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
    return new S3Error(error.code, explainCode(error.code, error.message))
  }
}

const REFUSED = ['AccessDenied', 'HTTP 403', 'MethodNotAllowed', 'HTTP 405']

/** One way of asking tells milliseconds, another seconds only. */
function wholeSeconds(date: Date): number {
  const ms = Math.floor(date.getTime() / 1000) * 1000
  if (Number.isNaN(ms)) throw new Error('what it answers is not S3')
  return ms
}
