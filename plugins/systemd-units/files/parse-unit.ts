/** One line of a unit file, continuation lines joined. */
export interface Directive {
  section: string
  key: string
  value: string
  path: string
  /** Of its first line. */
  line: number
}

/**
 * Reads a unit file as systemd does (systemd.syntax(7)): a backslash at the end of a line goes on in the next one,
 * comments between such lines are left out, what is no directive is ignored. Pure.
 */
export function parseUnit(path: string, text: string): Directive[] {
  const directives: Directive[] = []
  let section = ''
  let begun: { text: string; line: number } | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    const content = raw.replace(/\r$/, '').trimStart()
    if (content.startsWith('#') || content.startsWith(';')) continue
    const whole = begun ? begun.text + content : content
    const line = begun?.line ?? index + 1
    if (isContinued(content)) {
      begun = { text: `${whole.slice(0, -1)} `, line }
      continue
    }
    begun = undefined
    const heading = /^\[([^\]]*)\]\s*$/.exec(whole)
    if (heading) section = heading[1] ?? ''
    else {
      const equals = whole.indexOf('=')
      if (equals <= 0) continue
      const key = whole.slice(0, equals).trim()
      directives.push({ section, key, value: whole.slice(equals + 1).trim(), path, line })
    }
  }
  return directives
}

/** An odd number of backslashes at the end: the last of them is no escaped one. */
function isContinued(line: string): boolean {
  return (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1
}

/** Words of a value: quotes keep blanks, a backslash escapes the next character. Pure. */
export function splitWords(value: string): string[] {
  return [...value.matchAll(/(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|((?:\\.|[^\s"'\\])+))/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  )
}

const YES = new Set(['1', 'yes', 'y', 'true', 't', 'on'])
const NO = new Set(['0', 'no', 'n', 'false', 'f', 'off'])

/** "yes" and "no" for all the words that systemd takes for them; undefined for other words. Pure. */
export function parseBoolean(value: string): 'yes' | 'no' | undefined {
  const word = value.toLowerCase()
  return YES.has(word) ? 'yes' : NO.has(word) ? 'no' : undefined
}
