import type { KnownObject } from '../destination.ts'
import type { UploadNote, UploadNotes } from '../upload-notes.ts'
import { elementOf, S3Error, type S3Requests } from './client.ts'

const MIB = 1_048_576
/** Stores take parts of 5 MiB and more, but for the last. */
const SMALLEST_PART_BYTES = 8 * MIB
/** Stores take 10,000. */
const MOST_PARTS = 9_000

export interface UploadOptions {
  location: string
  known: KnownObject | undefined
  notes: UploadNotes | undefined
  /** For the finished object. */
  headers: Record<string, string>
}

/** Sends an object in parts, and as a whole where it is smaller than one. Nothing is visible before the commit. */
export class PartUpload {
  private part: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  private used = 0
  private partBytes = SMALLEST_PART_BYTES
  private note: UploadNote | undefined
  private isCommitted = false

  constructor(
    private readonly requests: S3Requests,
    private readonly key: string,
    private readonly options: UploadOptions,
  ) {}

  /** Bytes that are there from an earlier try. */
  async begin(): Promise<number> {
    const { known, notes, location } = this.options
    if (!known) return 0
    this.partBytes = partBytesFor(known.bytes)
    const note = notes?.find(location, known.sha256)
    if (note?.key !== this.key) return 0
    this.note = note
    this.partBytes = note.partBytes
    return note.parts.length * note.partBytes
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.length; ) {
      if (this.part.length === 0) this.part = new Uint8Array(this.partBytes)
      const piece = chunk.subarray(offset, offset + this.partBytes - this.used)
      this.part.set(piece, this.used)
      this.used += piece.length
      offset += piece.length
      if (this.used === this.partBytes) await this.sendPart()
    }
  }

  async commit(): Promise<void> {
    if (!this.note) {
      const content = this.part.subarray(0, this.used)
      await this.requests.send('PUT', this.key, {}, { content, headers: this.options.headers })
    } else {
      if (this.used > 0) await this.sendPart()
      await this.complete(this.note)
      this.options.notes?.drop(this.note.uploadId)
    }
    this.isCommitted = true
  }

  /** What a later run can go on with stays. */
  async abort(): Promise<void> {
    const { note } = this
    if (this.isCommitted || !note || (this.options.known && this.options.notes)) return
    await this.requests.send('DELETE', this.key, { uploadId: note.uploadId }).catch(() => {})
  }

  private async sendPart(): Promise<void> {
    this.note ??= await this.start()
    const { note } = this
    const partNumber = String(note.parts.length + 1)
    const content = this.part.subarray(0, this.used)
    try {
      const { headers } = await this.requests.send(
        'PUT',
        this.key,
        { partNumber, uploadId: note.uploadId },
        { content },
      )
      const tag = headers.get('etag')
      if (!tag) throw new Error('what it answers is not S3')
      note.parts.push(tag)
      this.used = 0
      this.options.notes?.keep(note)
    } catch (error) {
      if (error instanceof S3Error && error.code === 'NoSuchUpload') {
        this.options.notes?.drop(note.uploadId)
        throw new Error('the store has dropped what was sent before; the next run begins anew', {
          cause: error,
        })
      }
      throw error
    }
  }

  private async start(): Promise<UploadNote> {
    const { location, known, headers, notes } = this.options
    const { text } = await this.requests.send(
      'POST',
      this.key,
      { uploads: '' },
      { content: new Uint8Array(0), headers },
    )
    const uploadId = elementOf(text, 'UploadId')
    if (!uploadId) throw new Error('what it answers is not S3')
    const sha256 = known?.sha256 ?? ''
    const note = { location, key: this.key, sha256, uploadId, partBytes: this.partBytes, parts: [] }
    notes?.keep(note)
    return note
  }

  private async complete({ uploadId, parts }: UploadNote): Promise<void> {
    const list = parts.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
    )
    const content = Uint8Array.from(
      Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`),
    )
    const headers = { 'content-type': 'application/xml' }
    const { text } = await this.requests.send('POST', this.key, { uploadId }, { content, headers })
    // It may say 200 at once and tell of a failure later.
    const code = elementOf(text, 'Code')
    if (code !== undefined || !text.includes('CompleteMultipartUploadResult')) {
      throw new Error(elementOf(text, 'Message') ?? 'what it answers is not S3')
    }
  }
}

/** Parts large enough that there are not too many of them. */
export function partBytesFor(bytes: number): number {
  return Math.max(SMALLEST_PART_BYTES, Math.ceil(bytes / MOST_PARTS / MIB) * MIB)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
