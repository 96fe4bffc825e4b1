// Names on Linux are bytes. Where they are no UTF-8, each byte that does not fit is kept as a lone surrogate of
// U+DC80 to U+DCFF, so that a name can be compared, shown and split like any text, and becomes the same bytes again.

const [ESCAPED_LOW, ESCAPED_HIGH, ESCAPE_BASE] = [0xdc80, 0xdcff, 0xdc00]
const ESCAPED = /[\udc80-\udcff]/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of bytes that need not be UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return textOfMixed(bytes)
  }
}

function textOfMixed(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at)
    if (length > 0) text += utf8.decode(bytes.subarray(at, at + length))
    else text += String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0))
    at += Math.max(length, 1)
  }
  return text
}

/** Bytes of the UTF-8 sequence that begins here, 0 when none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  try {
    return utf8.decode(bytes.subarray(at, at + length)).length > 0 ? length : 0
  } catch {
    return 0
  }
}

/** The bytes that a text was made of. */
export function bytesOf(text: string): Buffer {
  if (!ESCAPED.test(text)) return Buffer.from(text)
  const parts: Buffer[] = []
  let plain = ''
  for (const character of text) {
    const code = character.length === 1 ? character.charCodeAt(0) : 0
    if (code < ESCAPED_LOW || code > ESCAPED_HIGH) {
      plain += character
      continue
    }
    parts.push(Buffer.from(plain), Buffer.from([code - ESCAPE_BASE]))
    plain = ''
  }
  return Buffer.concat([...parts, Buffer.from(plain)])
}

/** What the functions of node:fs take as the name. */
export const nameOf = (path: string): string | Buffer => (ESCAPED.test(path) ? bytesOf(path) : path)

export const isUtf8 = (text: string): boolean => !ESCAPED.test(text)

/** Order of the bytes, as the C locale has it. */
export function compareBytes(a: string, b: string): number {
  return isAscii(a) && isAscii(b) ? (a < b ? -1 : a > b ? 1 : 0) : Buffer.compare(bytesOf(a), bytesOf(b))
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}
