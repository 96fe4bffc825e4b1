import { isSecretName, isVariableReference, urlPasswords } from '../../../agent/contract/mod.ts'

/** Shorter words are no secrets, and every program has thousands of them. */
const SHORTEST = 8
const LONGEST = 4096

/** Words of a command line that may be a value: as they stand, after "=", in a URL, after "-p" or ":". */
export function candidatesOf(words: string[]): Set<string> {
  const candidates = new Set<string>()
  const add = (text: string | undefined) => {
    if (text !== undefined && text.length >= SHORTEST && text.length <= LONGEST) candidates.add(text)
  }
  for (const word of words) {
    add(word)
    const equals = word.indexOf('=')
    if (equals > 0) add(word.slice(equals + 1))
    if (/^-[a-z]\S/i.test(word)) add(word.slice(2))
    const colon = word.lastIndexOf(':')
    if (colon > 0) add(word.slice(colon + 1).trim())
    for (const password of urlPasswords(word)) add(password)
    const bearer = /\bBearer\s+(\S+)/i.exec(word)?.[1]
    add(bearer)
  }
  return candidates
}

/** Options and variables of a command line that hold a secret, by their name alone: "--db-password". */
export function namedSecrets(words: string[]): string[] {
  const names: string[] = []
  for (const [index, word] of words.entries()) {
    const [, name, value] = /^(-{0,2}[A-Za-z][\w.-]{0,60})=(.+)$/s.exec(word) ?? []
    if (name !== undefined && value !== undefined) {
      if (isSecretName(name) && looksLikeValue(value)) names.push(name)
    } else if (/^--[A-Za-z][\w-]{0,60}$/.test(word) && isSecretName(word)) {
      const next = words[index + 1]
      if (next !== undefined && !next.startsWith('-') && looksLikeValue(next)) names.push(word)
    } else if (urlPasswords(word).length > 0) names.push('a URL with a password')
  }
  return [...new Set(names)]
}

function looksLikeValue(text: string): boolean {
  if (text.length < 4 || isVariableReference(text)) return false
  // A path, a variable, a reference, a number or a word of logic leads to a secret or is none.
  return !/^(\/|\.{1,2}\/|~|\$|@|<|%|env:|file:|credential:|-$|\d+$|(true|false|yes|no|none|null|ask|prompt)$)/i.test(
    text,
  )
}

/** A line of a shell's history as words; zsh puts time stamps in front. */
export function historyWords(line: string): string[] {
  return line
    .replace(/^: \d+:\d+;/, '')
    .split(/[\s|;&()]+/)
    .map((word) => word.replace(/^["']+|["']+$/g, '').replace(/=(["'])(.*)\1?$/, '=$2'))
    .filter((word) => word !== '')
}
