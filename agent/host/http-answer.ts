/** Larger heads are rubbish, or an attack; nginx and Apache send at most a few kibibytes. */
export const MAX_HEAD_BYTES = 65_536

export interface Head {
  status: number
  /** In their order; names in lower case. */
  headers: [name: string, value: string][]
}

/** Where the head ends, behind its empty line; -1 when it is not whole yet. */
export function endOfHead(bytes: Buffer): number {
  const strict = bytes.indexOf('\r\n\r\n')
  const loose = bytes.indexOf('\n\n')
  if (strict >= 0 && (loose < 0 || strict < loose)) return strict + 4
  return loose < 0 ? -1 : loose + 2
}

/** Status line and header lines of an HTTP/1 answer (RFC 9112). Pure. Throws where it is none. */
export function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split(/\r?\n/)
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) throw new Error('it does not speak HTTP')
  const headers = lines
    .filter((line) => line !== '')
    .map((line): [string, string] => {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/s.exec(line) ?? []
      if (name === undefined || value === undefined) throw new Error('a header of its answer is malformed')
      return [name.toLowerCase(), value]
    })
  return { status: Number(status), headers }
}

/** How the end of a body is known. `length` in bytes. */
export type Framing =
  | { kind: 'none' }
  | { kind: 'length'; length: number }
  | { kind: 'chunked' | 'until-close' }

/** RFC 9112, 6.3. Pure. Throws where the head contradicts itself. */
export function framingOf({ status, headers }: Head, method: string): Framing {
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' }
  const all = (wanted: string) => headers.flatMap(([name, value]) => (name === wanted ? [value] : []))
  const coding = all('transfer-encoding').join(',').toLowerCase()
  if (coding === 'chunked') return { kind: 'chunked' }
  if (coding !== '') throw new Error('its body is coded in a way that was not asked for')
  const [length, ...others] = new Set(all('content-length'))
  if (length === undefined) return { kind: 'until-close' }
  if (others.length > 0 || !/^\d{1,15}$/.test(length)) throw new Error('it does not say how long its body is')
  return { kind: 'length', length: Number(length) }
}

const MAX_CHUNK_LINE_BYTES = 4096

/** The parts of a chunked body as they come in (RFC 9112, 7.1). */
export class ChunkedBody {
  private rest: Buffer = Buffer.alloc(0)
  private left = 0
  private place: 'size' | 'data' | 'end-of-data' | 'trailer' | 'done' = 'size'

  get isDone(): boolean {
    return this.place === 'done'
  }

  /** The content in these bytes. */
  take(bytes: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const parts: Buffer[] = []
    while (this.step(parts)) {}
    return parts
  }

  private step(parts: Buffer[]): boolean {
    if (this.place === 'done' || this.rest.length === 0) return false
    if (this.place === 'data') {
      const part = this.rest.subarray(0, this.left)
      parts.push(part)
      this.rest = this.rest.subarray(part.length)
      this.left -= part.length
      if (this.left === 0) this.place = 'end-of-data'
      return true
    }
    const end = this.rest.indexOf('\n')
    if (end < 0 || end > MAX_CHUNK_LINE_BYTES) {
      if (this.rest.length > MAX_CHUNK_LINE_BYTES) throw new Error('the parts of its body are malformed')
      return false
    }
    const line = this.rest.toString('latin1', 0, end).trim()
    this.rest = this.rest.subarray(end + 1)
    if (this.place === 'trailer') {
      if (line === '') this.place = 'done'
    } else if (this.place === 'end-of-data') {
      if (line !== '') throw new Error('the parts of its body are malformed')
      this.place = 'size'
    } else {
      const size = /^([0-9a-fA-F]{1,8})(?:[ \t]*;.*)?$/.exec(line)?.[1]
      if (size === undefined) throw new Error('the parts of its body are malformed')
      this.left = Number.parseInt(size, 16)
      this.place = this.left === 0 ? 'trailer' : 'data'
    }
    return true
  }
}
