/** A file that cannot be understood at all: what is wrong with it, and where if that is known. */
export class Malformed extends Error {
  constructor(
    readonly reason: string,
    readonly line?: number,
  ) {
    super(reason)
  }
}

/** UTF-8 text without its byte order mark. Throws Malformed for what is no text. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) throw new Malformed('it is UTF-16, wanted UTF-8', 1)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) throw new Malformed('it is UTF-16, wanted UTF-8', 1)
  const zero = bytes.indexOf(0)
  if (zero >= 0) throw new Malformed('it holds NUL bytes', lineAt(bytes, zero))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Malformed('it is no UTF-8 text')
  }
}

function lineAt(bytes: Uint8Array, offset: number): number {
  let line = 1
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) line++
  return line
}
