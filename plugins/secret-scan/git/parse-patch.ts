/** A run of added lines of a file. Valid until the next one. */
export interface AddedLines {
  /** Empty where the patch is of no commit. */
  commit: string
  /** Path in the repository. */
  path: string
  /** Number of the first line in the new file. */
  line: number
  bytes: Buffer
}

const NEWLINE = 10
const PLUS = 43
const AT = 64
const MAX_LINE_BYTES = 1024 * 1024
const MAX_BLOCK_BYTES = 256 * 1024

/**
 * Reads the output of `git log --patch --unified=0 --format=%x00%H` in pieces, and gives what each commit adds. A line is
 * only made text where it is no content; longer ones than a megabyte are cut.
 */
export class PatchReader {
  private rest: Buffer = Buffer.alloc(0)
  private commit = ''
  private path = ''
  private line = 0
  /** Signs before the content: one for each parent of the commit. */
  private columns = 1
  private isInHunk = false
  private blockLine = 0
  private readonly block: Buffer[] = []
  private blockBytes = 0
  private isCut = false
  /** Files that are no text, and lines that were cut. */
  notSearched = 0

  constructor(private readonly onAdded: (added: AddedLines) => void) {}

  push(piece: Uint8Array): void {
    let bytes = this.rest.length > 0 ? Buffer.concat([this.rest, piece]) : Buffer.from(piece)
    let start = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (end < 0) break
      if (this.isCut) this.isCut = false
      else this.take(bytes.subarray(start, end))
      start = end + 1
    }
    bytes = bytes.subarray(start)
    if (bytes.length > MAX_LINE_BYTES) {
      if (!this.isCut) this.take(bytes)
      this.isCut = true
      this.notSearched++
      bytes = Buffer.alloc(0)
    }
    this.rest = Buffer.from(bytes)
  }

  end(): void {
    if (this.rest.length > 0 && !this.isCut) this.take(this.rest)
    this.flush()
  }

  private take(line: Buffer): void {
    const first = line[0] ?? NEWLINE
    if (this.isInHunk && this.isContent(line)) {
      const isAdded = line.subarray(0, this.columns).every((byte) => byte === PLUS)
      // With more parents a line that is not new in all of them still counts.
      const isRemoved = line.subarray(0, this.columns).includes(45)
      if (isRemoved) return
      if (isAdded) this.add(line.subarray(this.columns))
      else this.flush()
      this.line++
      return
    }
    if (first === 0) {
      this.flush()
      this.commit = line.toString('latin1', 1, 65)
      this.isInHunk = false
    } else if (first === AT && line[1] === AT) {
      this.flush()
      this.columns = line.indexOf(' ') - 1
      this.line = Number(/^@+ .*?\+(\d+)/.exec(line.toString('latin1', 0, 200))?.[1] ?? 1)
      this.isInHunk = true
    } else if (!this.isInHunk || line.toString('latin1', 0, 5) === 'diff ') this.takeHeader(line)
  }

  private isContent(line: Buffer): boolean {
    const first = line[0]
    return first === PLUS || first === 45 || first === 32 || first === 92
  }

  private takeHeader(line: Buffer): void {
    const text = line.toString('utf8', 0, 8192)
    if (text.startsWith('diff ')) {
      this.flush()
      this.isInHunk = false
      this.path = ''
    } else if (text.startsWith('+++ '))
      this.path = unquotePath(text.slice(4).replace(/\t$/, '')).replace(/^b\//, '')
    else if (text.startsWith('Binary files ')) this.notSearched++
  }

  private add(content: Buffer): void {
    if (this.block.length === 0) this.blockLine = this.line
    this.block.push(content, NEWLINE_BYTE)
    this.blockBytes += content.length + 1
    if (this.blockBytes > MAX_BLOCK_BYTES) this.flush()
  }

  private flush(): void {
    if (this.block.length === 0) return
    const bytes = Buffer.concat(this.block, this.blockBytes)
    this.block.length = 0
    this.blockBytes = 0
    this.onAdded({ commit: this.commit, path: this.path, line: this.blockLine, bytes })
  }
}

const NEWLINE_BYTE = Buffer.from('\n')

/** A path as git writes one with characters that are not to be seen: in quotes, with escapes of C. */
function unquotePath(text: string): string {
  if (!text.startsWith('"')) return text
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
  return text
    .slice(1, text.lastIndexOf('"'))
    .replace(/\\(?:([0-7]{3})|(.))/g, (_, octal?: string, character = '') =>
      octal ? String.fromCharCode(Number.parseInt(octal, 8)) : (escapes[character] ?? character),
    )
}
