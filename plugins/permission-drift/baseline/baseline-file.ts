import { createHash } from 'node:crypto'
import {
  type Entry,
  type FileSink,
  type FileSource,
  parsePrintablePath,
  printablePath,
} from '../../../agent/contract/mod.ts'
import {
  type BaselineEntry,
  BaselineError,
  decodeEntry,
  directoryOf,
  encodeEntry,
  type Header,
  header,
  nameOf,
  parseLine,
  type Trailer,
  trailer,
} from './baseline-format.ts'

const CHUNK_BYTES = 262_144
const FLUSH_CHARACTERS = 65_536
/** Longer than any header or trailer; the path of a tree is at most 4095 bytes. */
const MAX_END_BYTES = 65_536
const NEWLINE = 10
const SLASH = 47

type Fingerprint = (value: string) => string

/** The file of a tree's baseline in the state directory: readable, and one of its own for every tree. */
export function baselineFile(stateDir: string, tree: string): string {
  const readable =
    tree
      .replace(/[^A-Za-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60) || 'root'
  const unique = createHash('sha256').update(tree).digest('hex').slice(0, 8)
  return `${stateDir}/baseline-${readable}-${unique}`
}

/** Writes the entries of a walk, in its order, as they come. */
export class BaselineWriter {
  private readonly digest = createHash('sha256')
  private text = ''
  private directory = ''
  private entries = 0

  constructor(
    private readonly sink: FileSink,
    start: Omit<Header, 'format' | 'version'>,
  ) {
    this.text = `${JSON.stringify({ format: 'reeve-baseline', version: 1, ...start } satisfies Header)}\n`
  }

  add(entry: Entry): void {
    const directory = directoryOf(entry.path)
    if (directory !== this.directory) {
      this.directory = directory
      this.text += `${printablePath(directory)}\n`
    }
    this.text += `${encodeEntry(entry, entry.path.slice(directory.length))}\n`
    this.entries++
    if (this.text.length >= FLUSH_CHARACTERS) this.flush()
  }

  /** Writes the trailer and puts the file in its place. */
  commit(fingerprint: Fingerprint): Trailer {
    this.flush()
    const sha256 = this.digest.digest('hex')
    const end: Trailer = { entries: this.entries, sha256, fingerprint: fingerprint(sha256) }
    this.sink.write(Buffer.from(`${JSON.stringify(end)}\n`))
    this.sink.commit()
    return end
  }

  private flush(): void {
    const bytes = Buffer.from(this.text)
    this.text = ''
    this.digest.update(bytes)
    this.sink.write(bytes)
  }
}

/**
 * Reads a baseline forward, without an object for every entry: `directory` and `line` are what stands there,
 * `entry()` makes an object of them. Throws BaselineError for one that was not made by this host.
 */
export class BaselineReader {
  readonly header: Header
  readonly trailer: Trailer
  /** Of the present entry, with its slash; not escaped. */
  directory = ''
  /** The present entry as it is written; empty at the end. */
  line = ''
  private lines: string[] = []
  private index = 0
  private position = 0
  private readonly end: number

  constructor(
    private readonly source: FileSource,
    fingerprint: Fingerprint,
  ) {
    const { text, start } = this.lastLine()
    this.end = start
    this.trailer = parseLine(trailer, 'last line', text)
    if (this.trailer.fingerprint !== fingerprint(this.trailer.sha256)) {
      throw new BaselineError('it was not made with the key of this host')
    }
    if (this.digest() !== this.trailer.sha256) throw new BaselineError('its contents were changed')
    this.fill()
    this.header = parseLine(header, 'first line', this.lines[this.index++] ?? '')
    this.next()
  }

  get atEnd(): boolean {
    return this.line === ''
  }

  /** Path of the present entry. */
  path(): string {
    return this.directory + nameOf(this.line)
  }

  entry(): BaselineEntry {
    return decodeEntry(this.directory, this.line)
  }

  next(): void {
    for (;;) {
      const line = this.lines[this.index++]
      if (line === undefined) {
        if (this.fill()) continue
        this.line = ''
        return
      }
      if (line.charCodeAt(0) !== SLASH) {
        this.line = line
        return
      }
      this.directory = parsePrintablePath(line)
    }
  }

  close(): void {
    this.source.close()
  }

  /** Reads the next whole lines; false at the end. */
  private fill(): boolean {
    const bytes = this.read(this.position)
    if (bytes.length === 0) return false
    const length = bytes.lastIndexOf(NEWLINE)
    if (length < 0) throw new BaselineError('a line of it has no end')
    this.position += length + 1
    this.lines = bytes.toString('utf8', 0, length).split('\n')
    this.index = 0
    return true
  }

  private digest(): string {
    const digest = createHash('sha256')
    for (let position = 0; position < this.end; ) {
      const bytes = this.read(position)
      digest.update(bytes)
      position += bytes.length
    }
    return digest.digest('hex')
  }

  /** A chunk of what stands before the trailer; empty at its end. */
  private read(position: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, this.end - position))
    const count = buffer.length === 0 ? 0 : this.source.read(buffer, position)
    if (count < buffer.length) throw new BaselineError('it was cut off while it was read')
    return buffer
  }

  private lastLine(): { text: string; start: number } {
    const { size } = this.source.stat
    const from = Math.max(0, size - MAX_END_BYTES)
    const buffer = Buffer.alloc(size - from)
    const count = this.source.read(buffer, from)
    const start = buffer.lastIndexOf(NEWLINE, buffer.length - 2) + 1
    if (count < buffer.length || buffer.at(-1) !== NEWLINE || start === 0) {
      throw new BaselineError('it has no last line')
    }
    return { text: buffer.toString('utf8', start, buffer.length - 1), start: from + start }
  }
}
