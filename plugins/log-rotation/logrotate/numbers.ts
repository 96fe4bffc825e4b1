const BITS_64 = 64
const BITS_32 = 32
const MAX_64 = (1n << 64n) - 1n
const DIGITS = /^[ \t\n\v\f\r]*([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))/

/** A number as strtoull reads it with base 0 (decimal, octal, hexadecimal), and what stands behind it. */
function readUnsigned(text: string): { value: bigint; rest: string } {
  const match = DIGITS.exec(text)
  if (!match) return { value: 0n, rest: text }
  const [whole, sign, hexadecimal, octal, decimal] = match
  const digits = hexadecimal ? `0x${hexadecimal}` : octal ? `0o${octal.slice(1) || '0'}` : decimal
  const value = BigInt(digits ?? 0)
  return { value: sign === '-' ? -value : value, rest: text.slice(whole.length) }
}

/** A count as logrotate reads it: cut to 32 bits like an int of C. Undefined: something stands behind it. */
export function readCount(text: string): number | undefined {
  const { value, rest } = readUnsigned(text)
  // What is too large for C is its largest number, of which all bits are set.
  const fits = value >= -MAX_64 && value <= MAX_64
  return rest === '' ? Number(BigInt.asIntN(BITS_32, fits ? value : MAX_64)) : undefined
}

/** A size in bytes times its unit; undefined: something stands behind it, or it is below zero. */
export function readSize(text: string, unit: number): number | undefined {
  const { value, rest } = readUnsigned(text)
  const bytes = BigInt.asIntN(BITS_64, (value > MAX_64 ? MAX_64 : value) * BigInt(unit))
  return rest === '' && bytes >= 0n ? Number(bytes) : undefined
}

/** Octal digits of a mode, or undefined. */
export function readMode(text: string): number | undefined {
  const match = /^[ \t\n\v\f\r]*\+?([0-7]+)$/.exec(text)
  const mode = match ? Number.parseInt(match[1] ?? '', 8) : Number.NaN
  return mode < 0x7fff_ffff ? mode : undefined
}
