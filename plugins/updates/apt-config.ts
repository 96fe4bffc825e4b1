export interface AptSetting {
  /** In lower case, as "apt::periodic::unattended-upgrade". */
  key: string
  value: string
  path: string
  line: number
}

const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|#[^\n]*|"((?:[^"\\]|\\.)*)"|[{};]|[^\s{};"]+/g

/** Pure: the settings of an apt.conf(5), in the order in which they are written; lists repeat their key. */
export function parseAptConfig(path: string, text: string): AptSetting[] {
  const settings: AptSetting[] = []
  const scopes: string[] = []
  let words: string[] = []
  let line = 1
  let from = 0
  const nameOf = (name: string) => [...scopes, name].join('::').replace(/::$/, '').toLowerCase()
  for (const match of text.matchAll(TOKEN)) {
    line += text.slice(from, match.index).split('\n').length - 1
    from = match.index
    const [token, quoted] = match
    if (/^(\/\/|\/\*|#)/.test(token)) continue
    if (token === '{') {
      scopes.push(words[0] ?? '')
      words = []
    } else if (token === '}') {
      scopes.pop()
      words = []
    } else if (token === ';') {
      const [first, second] = words
      // A value alone is an element of the list that the braces are about.
      if (first !== undefined && second !== undefined)
        settings.push({ key: nameOf(first), value: second, path, line })
      else if (first !== undefined && scopes.length > 0)
        settings.push({ key: scopes.join('::').toLowerCase(), value: first, path, line })
      words = []
    } else words.push(quoted ?? token)
  }
  return settings
}

/** Files of apt.conf.d that apt reads: by their names (apt.conf(5)). Pure. */
export function isAptConfigFile(name: string): boolean {
  return /^[A-Za-z0-9_-]+(\.conf)?$/.test(name) || /^[A-Za-z0-9_.-]+\.conf$/.test(name)
}
