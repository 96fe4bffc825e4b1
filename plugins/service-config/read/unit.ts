/** One `Key=value` of a unit file (systemd.syntax(7)). */
export interface UnitSetting {
  section: string
  key: string
  /** With line ends where a backslash carried it on: so the line of each word is known. */
  value: string
  line: number
}

/** Pure. What is no setting is left out, as systemd does. */
export function parseUnit(text: string): UnitSetting[] {
  const settings: UnitSetting[] = []
  const lines = text.split(/\r?\n/)
  let section = ''
  for (let index = 0; index < lines.length; index++) {
    const line = (lines[index] ?? '').trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const header = /^\[([^\]]+)\]$/.exec(line)?.[1]
    if (header !== undefined) {
      section = header
      continue
    }
    const [, key, head] = /^([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(line) ?? []
    if (key === undefined || head === undefined) continue
    const first = index + 1
    let value = head
    while (value.endsWith('\\') && index + 1 < lines.length) {
      const next = lines[++index] ?? ''
      // A comment between the lines of a value is no part of it; its line still counts.
      value = `${value.slice(0, -1)}\n${/^\s*[#;]/.test(next) ? '\\' : next.trimEnd()}`
    }
    settings.push({ section, key, value, line: first })
  }
  return settings
}

/** Words as systemd splits them: quotes hold blanks together, a backslash escapes. Each with its line. */
export function splitWords({ value, line }: UnitSetting): { text: string; line: number }[] {
  const words: { text: string; line: number }[] = []
  let at = line
  let word: { text: string; line: number } | undefined
  let quote = ''
  for (let index = 0; index < value.length; index++) {
    const character = value.charAt(index)
    if (character === '\n') at++
    if (quote === '' && /\s/.test(character)) {
      if (word) words.push(word)
      word = undefined
      continue
    }
    word ??= { text: '', line: at }
    if (character === '\\' && quote !== "'") word.text += escaped(value.charAt(++index))
    else if (quote !== '') {
      if (character === quote) quote = ''
      else word.text += character
    } else if (character === '"' || character === "'") quote = character
    else word.text += character
  }
  return word ? [...words, word] : words
}

function escaped(character: string): string {
  return { n: '\n', t: '\t', s: ' ', r: '\r' }[character] ?? character
}
