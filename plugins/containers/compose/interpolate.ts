/** A text with what its variables stand for; undefined where one of them is not known. */
export type Interpolated = { known: true; text: string } | { known: false; variable: string }

const VARIABLE = /\$(?:\$|\{([A-Za-z_]\w*)(?:(:?[-?+])([^${}]*))?\}|([A-Za-z_]\w*))/g

/** `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:+other}`, `$$`: as the Compose specification says. Pure. */
export function interpolate(text: string, variables: ReadonlyMap<string, string>): Interpolated {
  let missing: string | undefined
  const result = text.replace(
    VARIABLE,
    (
      all,
      braced: string | undefined,
      operator: string | undefined,
      word: string | undefined,
      plain: string,
    ) => {
      if (all === '$$') return '$'
      const name = braced ?? plain
      const value = variables.get(name)
      const isSet = operator?.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
      if (operator?.endsWith('+')) return isSet ? (word ?? '') : ''
      if (isSet) return value ?? ''
      if (operator?.endsWith('-')) return word ?? ''
      missing ??= name
      return ''
    },
  )
  // What is left of a dollar sign is of a form that is not understood, such as a default in a default.
  const isLeft = missing === undefined && /\$\{/.test(text.replaceAll('$$', '').replace(VARIABLE, ''))
  if (isLeft) return { known: false, variable: text }
  return missing === undefined ? { known: true, text: result } : { known: false, variable: missing }
}

/** Variables of an `.env` file; what is not understood of it is left out, and so not known. Pure. */
export function parseEnvironment(text: string): Map<string, string> {
  const variables = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line)
    if (!match?.[1]) continue
    const value = match[2] ?? ''
    const quoted = /^'([^']*)'$|^"([^"$\\]*)"$/.exec(value)
    const plain = value.replace(/\s+#.*$/, '')
    if (quoted) variables.set(match[1], quoted[1] ?? quoted[2] ?? '')
    else if (!/[$"'\\]/.test(plain)) variables.set(match[1], plain)
  }
  return variables
}
