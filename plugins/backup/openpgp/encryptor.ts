import { threadFile } from '../../../agent/contract/mod.ts'
import { SMALLEST_PIECE_BYTES } from './partial-body.ts'
import { DataEncryptor } from './protected-data.ts'

/** To the thread: the next piece of the stream, or its end. The first order brings the key. */
export interface Order {
  sessionKey?: Uint8Array | undefined
  chunk: Uint8Array | null
  /** Memory for the answer, of an earlier one that was used. */
  spare?: ArrayBuffer | undefined
}

/** What became of it. After an error the thread is of no more use. */
export type Reply = { packet: Uint8Array<ArrayBuffer> } | { error: string }

/** So much comes out at most when so much goes in: what both packets held back, their octets, and both ends. */
export function roomBytes(chunkBytes: number): number {
  return chunkBytes + 2 * SMALLEST_PIECE_BYTES + Math.ceil(chunkBytes / SMALLEST_PIECE_BYTES) * 2 + 4096
}

/** Less than that is done before a thread has started. */
const ALONE_BYTES = 4_194_304
/** Pieces that are on their way to the thread and back while the next one is made. */
const AHEAD = 3

/**
 * Encrypts a stream, a long one on a thread of its own: in the mode of OpenPGP each block needs the one before, so it
 * cannot be shared out, but archiving goes on meanwhile. Keeps the chunks; what it yields is valid until the next piece
 * is asked for.
 */
export async function* encryptData(
  chunks: AsyncIterable<Uint8Array>,
  sessionKey: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  try {
    const first: Uint8Array[] = []
    for (let bytes = 0; bytes < ALONE_BYTES; ) {
      const next = await iterator.next()
      if (next.done) {
        yield* encryptHere(first, sessionKey)
        return
      }
      bytes += next.value.length
      first.push(next.value)
    }
    yield* encryptOnThread(first, iterator, sessionKey)
  } finally {
    await iterator.return?.()
  }
}

function* encryptHere(chunks: readonly Uint8Array[], sessionKey: Uint8Array): Generator<Uint8Array> {
  const encryptor = new DataEncryptor(sessionKey)
  for (const chunk of chunks) yield* encryptor.push(chunk)
  yield* encryptor.finish()
}

async function* encryptOnThread(
  first: Uint8Array[],
  rest: AsyncIterator<Uint8Array, undefined>,
  sessionKey: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const thread = new EncryptorThread(sessionKey)
  const underWay: ReturnType<EncryptorThread['push']>[] = []
  try {
    for (let isOpen = true; isOpen || underWay.length > 0; ) {
      if (isOpen && underWay.length <= AHEAD) {
        const chunk = first.shift() ?? (await rest.next()).value ?? null
        isOpen = chunk !== null
        underWay.push(thread.push(chunk))
        continue
      }
      const packet = await underWay.shift()
      if (!packet) break
      yield packet
      thread.giveBack(packet)
    }
  } finally {
    thread.end()
  }
}

/** Answers in the order of the questions. */
class EncryptorThread {
  private readonly worker = new Worker(threadFile('plugins/backup/openpgp/encryptor-thread'), { smol: true })
  private readonly waiting: PromiseWithResolvers<Uint8Array<ArrayBuffer>>[] = []
  private readonly spare: ArrayBuffer[] = []
  private failure: Error | undefined
  private isNew = true

  constructor(private readonly sessionKey: Uint8Array) {
    this.worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      if ('packet' in data) this.waiting.shift()?.resolve(data.packet)
      else this.fail(data.error)
    })
    this.worker.addEventListener('error', ({ message }) => this.fail(`a thread ended: ${message}`))
  }

  /** Gives the memory of the chunk away; null is the end. */
  push(chunk: Uint8Array | null): Promise<Uint8Array<ArrayBuffer>> {
    const answer = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
    // Awaited later; until then a failure must not count as unhandled.
    answer.promise.catch(() => {})
    if (this.failure) answer.reject(this.failure)
    else this.waiting.push(answer)
    const spare = this.spare.pop()
    const order: Order = { sessionKey: this.isNew ? this.sessionKey : undefined, chunk, spare }
    this.isNew = false
    const owned = chunk && chunk.buffer.byteLength === chunk.length ? chunk.buffer : undefined
    this.worker.postMessage(
      order,
      [spare, owned].filter((memory) => memory instanceof ArrayBuffer),
    )
    return answer.promise
  }

  /** What the thread has made is used, and its memory free for the next. */
  giveBack(packet: Uint8Array<ArrayBuffer>): void {
    this.spare.push(packet.buffer)
  }

  end(): void {
    this.worker.terminate()
  }

  private fail(reason: string): void {
    this.failure = new Error(`Cannot encrypt: ${reason}`)
    for (const answer of this.waiting.splice(0)) answer.reject(this.failure)
  }
}
