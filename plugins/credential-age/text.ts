import { Unreadable } from './credential.ts'

/** The lines of a text file. Throws Unreadable for anything that is no text. */
export function decodeLines(bytes: Uint8Array): string[] {
  return decodeText(bytes).split(/\r?\n/)
}

export function decodeText(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw new Unreadable('it holds NUL bytes; wanted text')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Unreadable('it is no UTF-8 text')
  }
}

/** What another program wrote, as it may be shown: one line, no control characters, at most 120 characters. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return clean.length > 120 ? `${clean.slice(0, 119)}…` : clean
}

/** A word for a shell. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
