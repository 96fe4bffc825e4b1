/** A setting of sshd with its place, FILE:LINE; undefined place: it is sshd's own default. */
export interface Setting {
  value: string
  place: string | undefined
}

export interface ServerSettings {
  /** Outside of Match blocks, by lower-case key. */
  global: Map<string, Setting>
  /** Inside of them: each may weaken what holds for everybody else. */
  matched: { condition: string; key: string; setting: Setting }[]
}

const MAX_DEPTH = 8

/**
 * Reads sshd_config(5): the first value of a key counts, `Include` is read where it stands, what is below a `Match`
 * holds for some only, and below `Match all` for everybody, before what stands outside. `files` gives the files of a pattern with their text; relative patterns are below /etc/ssh. Pure.
 */
export function parseServer(
  path: string,
  text: string,
  files: (pattern: string) => { path: string; text: string }[],
): ServerSettings {
  const settings: ServerSettings = { global: new Map(), matched: [] }
  const forAll = new Map<string, Setting>()
  // The end of an included file ends its Match blocks.
  const read = (file: string, content: string, outer: string | undefined, depth: number) => {
    let condition = outer
    for (const [index, line] of content.split('\n').entries()) {
      const [key = '', ...words] = splitWords(line)
      if (key === '') continue
      const place = `${file}:${index + 1}`
      const name = key.toLowerCase()
      if (name === 'match') condition = words.join(' ')
      else if (name === 'include') {
        if (depth >= MAX_DEPTH) continue
        for (const pattern of words) {
          const absolute = pattern.startsWith('/') ? pattern : `/etc/ssh/${pattern}`
          for (const found of files(absolute)) read(found.path, found.text, condition, depth + 1)
        }
      } else if (condition !== undefined && condition.toLowerCase() !== 'all') {
        settings.matched.push({ condition, key: name, setting: { value: words.join(' '), place } })
      } else {
        const known = condition === undefined ? settings.global : forAll
        if (!known.has(name)) known.set(name, { value: words.join(' '), place })
      }
    }
  }
  read(path, text, undefined, 0)
  for (const [name, setting] of forAll) settings.global.set(name, setting)
  return settings
}

/** "key value", "key=value", quotes; a comment begins with # where a word could begin. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  const rest = line.replace(/^\s*([A-Za-z0-9]+)\s*=\s*/, '$1 ').replace(/\r$/, '')
  for (const [, quoted, plain = ''] of rest.matchAll(/"([^"]*)"|([^\s"]+)/g)) {
    if (quoted === undefined && plain.startsWith('#')) break
    words.push(quoted ?? plain)
  }
  return words
}
