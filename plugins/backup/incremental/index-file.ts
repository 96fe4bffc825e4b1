import { createHash, type Hash } from 'node:crypto'
import { describeError, type FileSink, type FileSource, z } from '../../../agent/contract/mod.ts'
import { FrameSplitter } from '../zstd-frames.ts'

// What was backed up last, in the job's private directory: one line for each entry, in the order in which the sources
// are walked, compressed. The next backup of changes is planned by walking both side by side.

/** An entry as it was when it was backed up. */
export interface IndexEntry {
  path: string
  type: string
  size: number
  mtimeMs: number
  /** 0 when it has to be looked at again, whatever its times say. */
  ctimeMs: number
  ino: number
  /** Of its line in the manifest. */
  digest: string
}

export interface IndexHeader {
  /** Name of the backup. */
  backup: string
  /** Digest of what decides which entries are backed up, and for whom. */
  settings: string
}

const PART_BYTES = 1_048_576
const READ_BYTES = 262_144
/** A part ends with the line that fills it: two names of 4096 bytes, escaped, at most. */
const LARGEST_PART_BYTES = 2 * PART_BYTES
const LEVEL = 1

const headerSchema = z.strictObject({ version: z.literal(1), backup: z.string(), settings: z.string() })
const endSchema = z.strictObject({ entries: z.number(), sha256: z.string() })

export class IndexWriter {
  private lines: string[] = []
  private length = 0
  private entries = 0
  private readonly hash: Hash = createHash('sha256')

  constructor(
    private readonly sink: FileSink,
    header: IndexHeader,
  ) {
    this.put(`${JSON.stringify({ version: 1, ...header })}\n`)
  }

  add({ path, type, size, mtimeMs, ctimeMs, ino, digest }: IndexEntry): void {
    this.entries++
    this.put(`${JSON.stringify([path, type, size, mtimeMs, ctimeMs, ino, digest])}\n`)
  }

  /** Gives the file its name. */
  commit(): void {
    this.flush()
    this.lines = [`${JSON.stringify({ entries: this.entries, sha256: this.hash.digest('hex') })}\n`]
    this.flush(false)
    this.sink.commit()
  }

  abort(): void {
    this.sink.abort()
  }

  private put(line: string): void {
    this.lines.push(line)
    this.length += line.length
    if (this.length >= PART_BYTES) this.flush()
  }

  private flush(isContent = true): void {
    if (this.lines.length === 0) return
    const text = this.lines.join('')
    if (isContent) this.hash.update(text)
    this.sink.write(Bun.zstdCompressSync(Buffer.from(text, 'utf8'), { level: LEVEL }))
    this.lines = []
    this.length = 0
  }
}

export interface OpenIndex {
  header: IndexHeader
  /** Throws when the file is not whole. */
  entries: AsyncGenerator<IndexEntry[]>
}

/** Reads an index; closes it at its end. Throws when it is none. */
export async function openIndex(source: FileSource): Promise<OpenIndex> {
  const parts = partsOf(source)
  try {
    const first = await parts.next()
    const text = first.done ? '' : first.value
    const { version: _, ...header } = headerSchema.parse(JSON.parse(text.slice(0, text.indexOf('\n'))))
    return { header, entries: entriesOf(text, parts) }
  } catch (cause) {
    await parts.return(undefined)
    throw new Error(`Cannot use the index: ${describeError(cause)}`, { cause })
  }
}

async function* entriesOf(first: string, parts: AsyncGenerator<string>): AsyncGenerator<IndexEntry[]> {
  const hash = createHash('sha256').update(first)
  let batch = parseLines(first.slice(first.indexOf('\n') + 1))
  let count = batch.length
  yield batch
  let end: z.infer<typeof endSchema> | undefined
  for await (const text of parts) {
    if (end) throw new Error('the index has more than its end')
    if (text.startsWith('{')) {
      end = endSchema.parse(JSON.parse(text))
      continue
    }
    hash.update(text)
    batch = parseLines(text)
    count += batch.length
    yield batch
  }
  if (end?.entries !== count || end.sha256 !== hash.digest('hex')) throw new Error('the index is damaged')
}

/** The lines of one part, which ends with one. */
function parseLines(text: string): IndexEntry[] {
  return text === '' ? [] : text.slice(0, -1).split('\n').map(parseLine)
}

function parseLine(line: string): IndexEntry {
  const [path, type, size, mtimeMs, ctimeMs, ino, digest] = JSON.parse(line)
  return { path, type, size, mtimeMs, ctimeMs, ino, digest }
}

/** The text of each part. */
async function* partsOf(source: FileSource): AsyncGenerator<string> {
  try {
    const splitter = new FrameSplitter(LARGEST_PART_BYTES)
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    for (let position = 0; ; ) {
      const count = source.read(chunk, position)
      if (count === 0) break
      position += count
      for (const frame of splitter.push(chunk.subarray(0, count))) {
        const text = Buffer.from(await Bun.zstdDecompress(frame)).toString('utf8')
        splitter.giveBack(frame)
        yield text
      }
    }
    splitter.finish()
  } finally {
    source.close()
  }
}
