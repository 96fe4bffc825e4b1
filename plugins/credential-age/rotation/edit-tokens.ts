import { UserError } from '../../../agent/contract/mod.ts'
import { parseTokenFile } from '../parse/parse-token-file.ts'

/** One line of a token-file. */
export interface TokenLine {
  /** What stands there: a token, or its hash. */
  text: string
  /** Its `#` name; undefined when it has none. */
  name: string | undefined
  /** From 1. */
  line: number
}

export function tokenLines(text: string): TokenLine[] {
  return parseTokenFile(Buffer.from(text)).members.flatMap(({ value, id, label, line }) =>
    value && line !== undefined ? [{ text: value, name: id ?? label, line }] : [],
  )
}

/**
 * The text of a token-file with another token right behind the old one, of the same name, with the day in its
 * comment. The old one stays. Pure.
 */
export function addToken(text: string, old: TokenLine, added: string, day: string): string {
  const lines = text.split('\n')
  const written = lines[old.line - 1] ?? ''
  const isBeside = /\s#/.test(written.trim())
  const comment = old.name === undefined ? undefined : `# ${old.name} ${day}`
  const inserted =
    comment === undefined ? [`# ${day}`, added] : isBeside ? [`${added} ${comment}`] : [comment, added]
  const changed = lines.toSpliced(old.line, 0, ...inserted).join('\n')
  assertTokens(changed, [...tokenLines(text).map((one) => one.text), added])
  return changed
}

/** The text without one token and the comment that names it. Pure. */
export function removeToken(text: string, removed: string): string {
  const all = tokenLines(text)
  const found = all.find((one) => one.text === removed)
  if (!found) return text
  const lines = text.split('\n')
  const isBeside = /\s#/.test((lines[found.line - 1] ?? '').trim())
  const above = (lines[found.line - 2] ?? '').trim()
  const withComment = !isBeside && above.startsWith('#')
  const changed = lines.toSpliced(found.line - (withComment ? 2 : 1), withComment ? 2 : 1).join('\n')
  assertTokens(
    changed,
    all.filter((one) => one !== found).map((one) => one.text),
  )
  return changed
}

function assertTokens(text: string, wanted: string[]): void {
  const got = tokenLines(text)
    .map((one) => one.text)
    .sort()
  if (got.length === wanted.length && wanted.toSorted().every((token, index) => token === got[index])) return
  throw new UserError('Cannot change the token-file: it is not understood well enough')
}
