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

export function isIpAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.includes(':')
}

/**
 * Whether a text from a file may be shown as a name: words of letters with a short number, or as short as k8s. A
 * secret that stands where a name should must not be taken for one.
 */
export function isPlainName(text: string, maxWords: number): boolean {
  const words = text.split(/[\s._@/:[\]()-]+/).filter((word) => word !== '')
  return (
    words.length > 0 &&
    words.length <= maxWords &&
    words.every((word) => /^([A-Za-z]{1,16}\d{0,3}|[A-Za-z0-9]{1,4})$/.test(word))
  )
}
