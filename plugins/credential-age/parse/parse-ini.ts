import { Unreadable } from '../credential.ts'

/**
 * INI as most programs read it: [section], key = value or key: value, comments after ";" and "#" at the start of
 * a line, quotes around a value. A key that stands again adds to a list. Lines of any other form do not count;
 * where all are, it is no INI. Throws Unreadable.
 */
export function parseIni(text: string): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  let section = ''
  let strange = 0
  for (const written of text.split(/\r?\n/)) {
    const line = written.trim()
    if (line === '' || line.startsWith(';') || line.startsWith('#')) continue
    const header = /^\[([^\]]{1,200})\]/.exec(line)?.[1]
    if (header !== undefined) {
      section = header.trim()
      continue
    }
    const [, key, value] = /^([^=:]{1,200}?)\s*[=:]\s*(.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined) {
      strange++
      continue
    }
    const place = section === '' ? key : `${section}.${key}`
    const known = root[place]
    const bare = unquote(value)
    root[place] =
      known === undefined ? bare : Array.isArray(known) ? [...known.slice(0, 999), bare] : [known, bare]
  }
  if (strange > 0 && Object.keys(root).length === 0) throw new Unreadable('it is no INI that can be read')
  return root
}

function unquote(value: string): string {
  const [, , quoted] = /^(["'])(.*)\1\s*(?:[;#].*)?$/.exec(value) ?? []
  return quoted ?? value.replace(/\s+[;#].*$/, '')
}
