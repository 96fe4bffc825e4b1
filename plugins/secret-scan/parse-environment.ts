/** A variable of an environment file. */
export interface Variable {
  name: string
  value: string
  line: number
}

/** A line that is not read as it looks, and what it is. */
export interface EnvironmentProblem {
  line: number
  what: string
}

export interface Environment {
  variables: Variable[]
  problems: EnvironmentProblem[]
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Pure: an environment file as systemd reads it for `EnvironmentFile=`: NAME=value, comments with # or ;, quotes, a
 * backslash before the end of a line. No shell reads it: "export" and `$NAME` are only text.
 */
export function parseEnvironment(text: string): Environment {
  const variables: Variable[] = []
  const problems: EnvironmentProblem[] = []
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const complain = (line: number, what: string) => problems.push({ line, what })
  if (text.startsWith('\uFEFF'))
    complain(1, 'it begins with a byte order mark, which becomes part of the first name')
  if (lines.some((line) => line.endsWith('\r'))) {
    const line = lines.findIndex((candidate) => candidate.endsWith('\r')) + 1
    complain(line, 'its lines end with CR LF: the CR becomes part of values')
  }
  for (let index = 0; index < lines.length; index++) {
    const first = index
    let line = (lines[index] ?? '').replace(/\r$/, '')
    if (/^\s*(?:[#;].*)?$/.test(line)) continue
    while (continues(line) && index + 1 < lines.length)
      line = join(line, (lines[++index] ?? '').replace(/\r$/, ''))
    const equals = line.indexOf('=')
    const written = (equals < 0 ? line : line.slice(0, equals)).trim()
    const name = written.replace(/^export\s+/, '')
    if (equals < 0) complain(first + 1, 'it has no "="')
    else if (name !== written)
      complain(first + 1, '"export" before the name: systemd takes the line for none of its own')
    else if (!NAME.test(name)) complain(first + 1, 'what stands before "=" is no name of a variable')
    else if (/\s$/.test(line.slice(0, equals))) complain(first + 1, 'there is a blank before "="')
    if (equals < 0 || !NAME.test(name)) continue
    const { value, isOpen } = unquoteValue(line.slice(equals + 1))
    if (isOpen) complain(first + 1, 'a quote is not closed')
    variables.push({ name, value, line: first + 1 })
  }
  return { variables, problems }
}

/** A quote is open at its end, or a backslash stands there. */
function continues(line: string): boolean {
  return /(?<!\\)(?:\\\\)*\\$/.test(line) || unquoteValue(line.slice(line.indexOf('=') + 1)).isOpen
}

function join(line: string, next: string): string {
  return line.endsWith('\\') ? line.slice(0, -1) + next : `${line}\n${next}`
}

/** Without its quotes. */
function unquoteValue(written: string): { value: string; isOpen: boolean } {
  let value = ''
  let quote = ''
  const text = written.trim()
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (quote !== '') {
      if (character === quote) quote = ''
      else if (character === '\\' && quote === '"' && index + 1 < text.length) value += text[++index]
      else value += character
    } else if ((character === '"' || character === "'") && (value === '' || /\s$/.test(value)))
      quote = character
    else if (character === '\\' && index + 1 < text.length) value += text[++index]
    else value += character
  }
  return { value, isOpen: quote !== '' }
}
