import { judgeValue } from '../judge-value.ts'
import { shortHash } from '../scan-text.ts'

/** A credential in the settings of a repository. Its value is not kept. */
export interface ConfigSecret {
  line: number
  /** "remote.origin.url" */
  key: string
  what: string
  sha256: string
}

/** What matters here of the settings of a repository. */
export interface GitConfig {
  secrets: ConfigSecret[]
  /** `credential.helper`, where it keeps credentials as text. */
  storesCredentials: { line: number; value: string } | undefined
  hooksPath: string | undefined
}

/** Pure: git-config(1): sections, subsections in quotes, `key = value`. */
export function judgeGitConfig(text: string): GitConfig {
  const config: GitConfig = { secrets: [], storesCredentials: undefined, hooksPath: undefined }
  let section = ''
  for (const [index, raw] of text.split('\n').entries()) {
    const header = /^\s*\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\](.*)$/.exec(raw)
    let line = raw
    if (header) {
      section =
        header[2] === undefined ? (header[1] ?? '').toLowerCase() : `${header[1]?.toLowerCase()}.${header[2]}`
      // A URL may stand in the name of a section.
      const inName = credentialOf(header[2] ?? '')
      if (inName) {
        section = `${header[1]?.toLowerCase()}.…`
        config.secrets.push({ line: index + 1, key: section, ...inName })
      }
      line = header[3] ?? ''
    }
    const [, name = '', written = ''] = /^\s*([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(line) ?? []
    if (name === '') continue
    const value = written
      .replace(/\s+[#;].*$/, '')
      .replace(/^"(.*)"$/, '$1')
      .trim()
    const key = `${section}.${name.toLowerCase()}`
    const secret = credentialOf(value) ?? headerCredential(key, value)
    if (secret) config.secrets.push({ line: index + 1, key, ...secret })
    if (
      key.endsWith('.helper') &&
      section.startsWith('credential') &&
      /^store\b|git-credential-store/.test(value)
    ) {
      config.storesCredentials = { line: index + 1, value: 'store' }
    }
    if (key === 'core.hookspath') config.hooksPath = value
  }
  return config
}

function credentialOf(url: string): { what: string; sha256: string } | undefined {
  const [, user = '', password] = /^[a-z][a-z0-9+.-]*:\/\/([^\s/@:]*)(?::([^\s@]*))?@/i.exec(url) ?? []
  if (password !== undefined && judgeValue(password) === 'literal') {
    return { what: 'a password in its address', sha256: shortHash(password) }
  }
  // A token in the place of a user: nobody has a name like that.
  const isToken =
    !/^ssh:/i.test(url) && (user.length >= 30 || /^(?:gh[pousr]|glpat|github_pat|x-token)[_-]/.test(user))
  return isToken ? { what: 'a token in its address', sha256: shortHash(user) } : undefined
}

function headerCredential(key: string, value: string): { what: string; sha256: string } | undefined {
  if (!key.endsWith('.extraheader')) return undefined
  const credential = /authorization\s*:\s*\w+\s+(\S{8,})/i.exec(value)?.[1]
  return credential ? { what: 'an Authorization header', sha256: shortHash(credential) } : undefined
}

/** Pure: whether a .dockerignore leaves a path out of the context: the last pattern that matches it, or one above it. */
export function isDockerIgnored(ignoreFile: string, path: string): boolean {
  let isIgnored = false
  for (const raw of ignoreFile.split(/\r?\n/)) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const isException = line.startsWith('!')
    const pattern = line
      .replace(/^!\s*/, '')
      .replace(/^\.?\/+/, '')
      .replace(/\/+$/, '')
    if (pattern === '' || !dockerPattern(pattern).test(path)) continue
    isIgnored = !isException
  }
  return isIgnored
}

/** As in Go's filepath.Match, with "**"; it matches what lies below, too. */
function dockerPattern(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((component) =>
      component === '**'
        ? '.*'
        : component
            .replace(/[.+^${}()|\\]/g, '\\$&')
            .replaceAll('*', '[^/]*')
            .replaceAll('?', '[^/]'),
    )
    .join('/')
    .replaceAll('.*/', '(?:.*/)?')
  return new RegExp(`^${source}(?:/.*)?$`, 's')
}
