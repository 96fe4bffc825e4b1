import { isGlob } from '../../../agent/contract/mod.ts'
import type { Imported, ImportedRule } from './imported-rule.ts'

/** In this order; a file hides files of the same name further down (tmpfiles.d(5)). */
export const TMPFILES_DIRECTORIES = [
  '/etc/tmpfiles.d',
  '/run/tmpfiles.d',
  '/usr/local/lib/tmpfiles.d',
  '/usr/lib/tmpfiles.d',
]

const MADE: Record<string, { type?: ImportedRule['type']; mode?: string }> = {
  f: { type: 'file', mode: '0644' },
  F: { type: 'file', mode: '0644' },
  d: { type: 'directory', mode: '0755' },
  D: { type: 'directory', mode: '0755' },
  v: { type: 'directory', mode: '0755' },
  q: { type: 'directory', mode: '0755' },
  Q: { type: 'directory', mode: '0755' },
  p: { type: 'fifo', mode: '0644' },
  L: { type: 'symlink' },
  c: { type: 'character-device' },
  b: { type: 'block-device' },
}
/** What only changes what is there. */
const ADJUSTED: Record<string, { type?: ImportedRule['type'] }> = {
  e: { type: 'directory' },
  z: {},
  Z: {},
  C: {},
}

const SPECIFIERS: Record<string, string> = {
  t: '/run',
  S: '/var/lib',
  C: '/var/cache',
  L: '/var/log',
  T: '/tmp',
  V: '/var/tmp',
  '%': '%',
}

/**
 * Pure: the rules that lines of tmpfiles.d(5) stand for, files in the order in which systemd reads them. Of two
 * lines for one path the first counts. Nothing has to be there: a line may be for a boot, or a unit that is off.
 */
export function parseTmpfiles(texts: readonly string[]): Imported {
  const rules = new Map<string, ImportedRule>()
  const skipped: Imported['skipped'] = []
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    if (/^\s*(#|;|$)/.test(line)) continue
    const parsed = parseLine(line)
    if (typeof parsed === 'string') skipped.push({ line: line.trim(), reason: parsed })
    else if (!rules.has(parsed.path)) rules.set(parsed.path, parsed)
  }
  return { rules: [...rules.values()], skipped }
}

function parseLine(line: string): ImportedRule | string {
  const [kind = '', rawPath = '', rawMode = '-', user = '-', group = '-', , ...rest] = fieldsOf(line)
  const letter = kind[0] ?? ''
  const made = MADE[letter]
  const adjusted = ADJUSTED[letter]
  if (!made && !adjusted) return `nothing that a rule can say (type ${kind})`
  const path = withoutSpecifiers(rawPath)
  if (path === undefined) return 'it has a specifier that is only known when it runs'
  if (!path.startsWith('/')) return 'its path is not absolute'
  const clean = path.length > 1 ? path.replace(/\/+$/, '') : path
  const target = rest.join(' ')
  // ":" is for what is made anew only, "~" keeps bits that are there: neither can be demanded later.
  const mode = /^[:~]/.test(rawMode) ? undefined : rawMode === '-' ? made?.mode : rawMode.padStart(4, '0')
  const account = (name: string) =>
    name === '-' ? (made ? 'root' : undefined) : name.startsWith(':') ? undefined : name
  const owner = account(user)
  const owners = account(group)
  const isLink = letter === 'L'
  return {
    path: letter === 'Z' ? `${clean}/**` : clean,
    ...(isGlob(clean) || letter === 'Z' ? {} : { missing: 'ok' as const }),
    ...(made?.type && { type: made.type }),
    ...(adjusted?.type && { type: adjusted.type }),
    ...(owner !== undefined && { owner }),
    ...(owners !== undefined && { group: owners }),
    ...(mode !== undefined && !isLink && letter !== 'Z' && { mode }),
    ...(mode !== undefined && letter === 'Z' && { mode: { atMost: mode }, directoryMode: { atMost: mode } }),
    ...(isLink && target !== '' && target !== '-' && { target }),
  }
}

/** Fields between blanks; quotes hold one together. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double?.replaceAll(/\\(.)/g, '$1') ?? single ?? plain ?? '',
  )
}

function withoutSpecifiers(path: string): string | undefined {
  let isKnown = true
  const text = path.replaceAll(/%(.)/g, (_, letter: string) => {
    const value = SPECIFIERS[letter]
    isKnown &&= value !== undefined
    return value ?? ''
  })
  return isKnown ? text : undefined
}
