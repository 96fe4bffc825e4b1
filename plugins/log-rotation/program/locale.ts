import { isUtf8 } from './bytes.ts'

/** Whether the caller's locale has characters of several bytes. */
export function hasUtf8Locale(environment: NodeJS.ProcessEnv = process.env): boolean {
  const name = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  return /utf-?8/i.test(name)
}

/** Whether a text has printable characters only, for the locale. */
export function isPrintable(text: string): boolean {
  if (/^[ -~]*$/.test(text)) return true
  return hasUtf8Locale() && isUtf8(text) && !/[\p{Cc}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/u.test(text)
}
