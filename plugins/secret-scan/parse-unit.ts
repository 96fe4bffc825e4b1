/** A setting of a unit file, with continued lines put together. */
export interface UnitSetting {
  section: string
  key: string
  value: string
  line: number
}

/** Pure: systemd.syntax(7): sections, `key=value`, comments with # or ;, a backslash before the end of a line. */
export function parseUnit(text: string): UnitSetting[] {
  const settings: UnitSetting[] = []
  const lines = text.split(/\r?\n/)
  let section = ''
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let content = (lines[index] ?? '').trim()
    if (content === '' || /^[#;]/.test(content)) continue
    while (content.endsWith('\\') && index + 1 < lines.length) {
      const next = (lines[++index] ?? '').trim()
      content = content.slice(0, -1) + (/^[#;]/.test(next) ? '\\' : ` ${next}`)
    }
    const header = /^\[([^\]]*)\]$/.exec(content)?.[1]
    if (header !== undefined) section = header
    else {
      const equals = content.indexOf('=')
      if (equals < 0) continue
      settings.push({
        section,
        key: content.slice(0, equals).trim(),
        value: content.slice(equals + 1).trim(),
        line,
      })
    }
  }
  return settings
}

/** Pure: the assignments of an `Environment=`, each quoted as a whole or in its value. */
export function parseAssignments(value: string): { name: string; value: string }[] {
  return splitWords(value).flatMap((word) => {
    const equals = word.indexOf('=')
    return equals <= 0 ? [] : [{ name: word.slice(0, equals), value: word.slice(equals + 1) }]
  })
}

/** Words of a line, quotes taken off. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  let isWord = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (quote === '' && /\s/.test(character)) {
      if (isWord) words.push(word)
      word = ''
      isWord = false
      continue
    }
    isWord = true
    if (quote !== '' && character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    else if (character === '\\' && quote !== "'" && index + 1 < text.length) word += text[++index]
    else word += character
  }
  if (isWord) words.push(word)
  return words
}
