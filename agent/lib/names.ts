/**
 * Names on Linux are bytes. A byte that is no UTF-8 is kept in a string as the lone surrogate
 * U+DC00 + byte, so every name has exactly one string and goes back to the same bytes.
 */

/** The bytes of a name. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8')
  const parts: Buffer[] = []
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'))
  }
  return Buffer.concat(parts)
}

/**
 * Writes the bytes of a name into `target`, where there are `room` bytes for them: how many it wrote, or -1 when they do
 * not fit, which may leave some of them there. Nearly all names are ASCII, and where one is written for each file of a
 * tree, calls of the runtime are felt.
 */
export function writeName(name: string, target: Uint8Array, offset: number, room: number): number {
  if (name.length > room) return -1
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index)
    if (code > 0x7f) return writeBytes(encodeName(name), target, offset, room)
    target[offset + index] = code
  }
  return name.length
}

function writeBytes(bytes: Uint8Array, target: Uint8Array, offset: number, room: number): number {
  if (bytes.length > room) return -1
  target.set(bytes, offset)
  return bytes.length
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The string for the bytes of a name. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return decodeEscaped(bytes)
  }
}

function decodeEscaped(bytes: Uint8Array): string {
  let text = ''
  let index = 0
  while (index < bytes.length) {
    const length = sequenceLength(bytes[index] ?? 0)
    const sequence = bytes.subarray(index, index + length)
    try {
      text += strict.decode(sequence)
      index += length
    } catch {
      text += String.fromCharCode(0xdc00 + (bytes[index] ?? 0))
      index++
    }
  }
  return text
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xe0) return 2
  if (first < 0xf0) return 3
  return 4
}
