/** One variable that a file sets. */
export interface Assignment {
  name: string
  value: string
  /** Of the first line, counted from 1. */
  line: number
  /** Written as `export NAME=value`: a shell and Compose take it, systemd does not. */
  exported: boolean
}

const MAX_PROBLEMS = 20

/**
 * KEY=value lines as systemd's EnvironmentFile= and shells read them: `export`, quotes, a backslash before a newline,
 * comments. The last assignment of a name holds. What is not understood is told by line, the rest is read.
 */
export function parseAssignments(text: string): { assignments: Map<string, Assignment>; problems: string[] } {
  const assignments = new Map<string, Assignment>()
  const problems: string[] = []
  let line = 1
  let position = 0
  while (position < text.length) {
    const first = line
    const statement = readStatement(text, position)
    line += countNewlines(text, position, statement.end)
    position = statement.end
    if (statement.text === undefined) continue
    if (statement.open) {
      problems.push(`line ${first}: a quote that is opened here is never closed`)
      continue
    }
    const [head, exported, name] = /^(export\s+)?([A-Za-z_][A-Za-z0-9_]*)=/.exec(statement.text) ?? []
    if (head === undefined || name === undefined) {
      problems.push(`line ${first}: wanted KEY=value`)
      continue
    }
    const value = unquote(statement.text.slice(head.length))
    assignments.delete(name)
    assignments.set(name, { name, value, line: first, exported: exported !== undefined })
  }
  return { assignments, problems: problems.slice(0, MAX_PROBLEMS) }
}

function countNewlines(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++
  return count
}

/** The next logical line: quotes and a backslash carry it over the end of a line. No text for comments. */
function readStatement(text: string, from: number): { text?: string; end: number; open: boolean } {
  let quote = ''
  let at = from
  while (at < text.length && /[ \t\r]/.test(text.charAt(at))) at++
  if (at >= text.length || text[at] === '\n' || text[at] === '#' || text[at] === ';') {
    const newline = text.indexOf('\n', at)
    return { end: newline < 0 ? text.length : newline + 1, open: false }
  }
  const start = at
  for (; at < text.length; at++) {
    const character = text[at]
    if (character === '\\' && quote !== "'") at++
    else if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '\n') break
  }
  return { text: text.slice(start, at).trimEnd(), end: Math.min(at + 1, text.length), open: quote !== '' }
}

/** The value of what stands after "=": quotes and backslashes taken away, a comment after a blank cut off. */
function unquote(raw: string): string {
  let value = ''
  let quote = ''
  for (let at = 0; at < raw.length; at++) {
    const character = raw.charAt(at)
    if (character === '\\' && quote !== "'") {
      at++
      if (raw[at] !== '\n') value += raw.charAt(at)
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else value += character
    } else if (character === '"' || character === "'") quote = character
    else if (character === '#' && /\s/.test(raw.charAt(at - 1))) break
    else value += character
  }
  return value.trim()
}
