const NEWLINE = 0x0a
/** Of one stanza; what is longer is no list of packages. */
const MAX_STANZA_BYTES = 1024 * 1024

/**
 * The stanzas of a file of Debian's control format (deb822(5)), chunk by chunk: memory does not grow with the file.
 * Calls `take` with the text of each. Throws when one has no end.
 */
export class StanzaReader {
  private rest: Uint8Array = new Uint8Array()

  constructor(private readonly take: (stanza: string) => void) {}

  add(chunk: Uint8Array): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let start = 0
    for (;;) {
      const end = blankLine(bytes, start)
      if (end < 0) break
      this.emit(bytes.subarray(start, end))
      start = end + 2
    }
    // The chunk is somebody else's to fill again.
    this.rest = Uint8Array.from(bytes.subarray(start))
    if (this.rest.length > MAX_STANZA_BYTES)
      throw new Error('Cannot read the list of packages: an entry has no end')
  }

  end(): void {
    this.emit(this.rest)
    this.rest = new Uint8Array()
  }

  private emit(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').trim()
    if (text !== '') this.take(text)
  }
}

function blankLine(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(NEWLINE, from); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (bytes[at + 1] === NEWLINE) return at
  }
  return -1
}

/** The first line of a field, or undefined. Pure. */
export function field(stanza: string, name: string): string | undefined {
  const start = stanza.startsWith(`${name}:`) ? 0 : stanza.indexOf(`\n${name}:`) + 1
  if (start === 0 && !stanza.startsWith(`${name}:`)) return undefined
  const end = stanza.indexOf('\n', start)
  return stanza.slice(start + name.length + 1, end < 0 ? undefined : end).trim()
}
