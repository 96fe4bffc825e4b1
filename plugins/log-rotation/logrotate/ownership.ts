import { readMode } from './numbers.ts'
import type { Ownership } from './settings.ts'

/** Numbers of accounts by name or number, and homes. Undefined: there is none. */
export interface AccountNumbers {
  userId(name: string): number | undefined
  groupId(name: string): number | undefined
  home(user?: string): string | undefined
}

const SPACE = /[ \t\n\v\f\r]/

/**
 * "[MODE] USER GROUP", "MODE" or nothing; for `su` "USER GROUP". Names may stand in quotes. Returns what is wrong
 * as text: the number of words alone says which of them is the mode.
 */
export function readOwnership(
  text: string,
  directive: string,
  accounts: AccountNumbers,
): Ownership | { problem: string } {
  const words = readWords(text)
  if (!words) return { problem: `invalid arguments for ${directive}` }
  const isSu = directive === 'su'
  if (words.length > (isSu ? 2 : 3)) return { problem: `extra arguments for ${directive}` }
  const [mode, user, group] =
    words.length === 3
      ? words
      : words.length === 2
        ? [undefined, ...words]
        : isSu
          ? [undefined, words[0]]
          : [words[0]]
  const found: Ownership = {}
  if (group !== undefined) {
    const gid = accounts.groupId(group)
    if (gid === undefined) return { problem: `unknown group '${group}'` }
    found.gid = gid
  }
  if (user !== undefined) {
    const uid = accounts.userId(user)
    if (uid === undefined) return { problem: `unknown user '${user}'` }
    found.uid = uid
  }
  if (mode !== undefined) {
    const value = readMode(mode)
    if (value === undefined) return { problem: `invalid mode '${mode}'` }
    found.mode = value
  }
  return found
}

/** At most four words; undefined when a quote is left open. What follows a closing quote is a word of its own. */
function readWords(text: string): string[] | undefined {
  const words: string[] = []
  let at = 0
  const skipSpace = () => {
    while (at < text.length && SPACE.test(text[at] ?? '')) at++
  }
  skipSpace()
  if (at === text.length) return words
  while (words.length < 4) {
    skipSpace()
    const first = text[at] ?? ''
    const quote = first === '"' || first === "'" ? first : undefined
    if (quote) at++
    const start = at
    while (at < text.length && (quote ? text[at] !== quote : !SPACE.test(text[at] ?? ''))) at++
    if (quote && text[at] !== quote) return undefined
    words.push(text.slice(start, at))
    if (quote) at++
    if (at >= text.length) break
  }
  return words
}
