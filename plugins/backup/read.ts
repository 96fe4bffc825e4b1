import { createHash } from 'node:crypto'
import type { ArchiveSummary } from './archive/manifest.ts'
import { ArchiveReader, type BackupHandler } from './archive/reader.ts'
import { decompress } from './compression.ts'
import { type OpenedMessage, openMessage } from './encryption.ts'
import { collecting } from './memory.ts'

export interface ReadBackup {
  summary: ArchiveSummary
  /** Of the stored object, all of it. */
  bytes: number
  sha256: string
}

/**
 * Reads a stored backup to its end: decrypts, decompresses, and compares every entry with the manifest. The
 * handler gets the entries on the way, and must believe none of them before this has returned.
 */
export async function readBackup(
  stored: AsyncIterable<Uint8Array>,
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  handler?: Partial<BackupHandler>,
): Promise<ReadBackup> {
  const digest = new StreamDigest()
  const reader = new ArchiveReader(handler)
  const message = await openMessage(digest.observe(stored))
  const content = decompress(message.decrypt(await unlock(message)))
  for await (const chunk of collecting(content, () => reader.entries)) reader.push(chunk)
  const summary = reader.finish()
  return { summary, bytes: digest.bytes, sha256: digest.sha256() }
}

/** SHA-256 of a stored object. */
export async function hashObject(stored: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const digest = new StreamDigest()
  for await (const chunk of stored) {
    signal.throwIfAborted()
    digest.add(chunk)
  }
  return digest.sha256()
}

/** SHA-256 and length of a stream that passes by. */
export class StreamDigest {
  bytes = 0
  private readonly hash = createHash('sha256')

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length
    this.hash.update(chunk)
  }

  async *observe(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.add(chunk)
      yield chunk
    }
  }

  /** To be called once. */
  sha256(): string {
    return this.hash.digest('hex')
  }
}

/** Passes a stream on, and tells how much of it has come. */
export async function* observe(
  chunks: AsyncIterable<Uint8Array>,
  look: (totalBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    look(bytes)
    yield chunk
  }
}
