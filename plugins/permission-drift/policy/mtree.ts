import { type EntryState, encodeName, type FileType, isWithin } from '../../../agent/contract/mod.ts'
import type { Imported, ImportedRule } from './imported-rule.ts'

const TYPES: Record<string, FileType> = {
  file: 'file',
  dir: 'directory',
  link: 'symlink',
  socket: 'socket',
  fifo: 'fifo',
  block: 'block-device',
  char: 'character-device',
}
const NAMES = new Map(Object.entries(TYPES).map(([name, type]) => [type, name]))

/**
 * Pure: the rules that a specification of mtree(5) stands for, its paths below `root`. Times and sizes are left to
 * a baseline.
 */
export function parseMtree(text: string, root: string): Imported {
  const rules: ImportedRule[] = []
  const skipped: Imported['skipped'] = []
  const defaults = new Map<string, string>()
  const above: string[] = []
  for (const line of text.replaceAll(/\\\n\s*/g, ' ').split('\n')) {
    const [name = '', ...words] = line.trim().split(/\s+/)
    if (name === '' || name.startsWith('#')) continue
    if (name === '..') {
      above.pop()
      continue
    }
    const keywords = new Map(words.map((word) => splitWord(word)))
    if (name === '/set') for (const [key, value] of keywords) defaults.set(key, value)
    else if (name === '/unset') for (const [key] of keywords) defaults.delete(key)
    else {
      const all = new Map([...defaults, ...keywords])
      const decoded = decode(name)
      const isPath = decoded.includes('/')
      const relative = isPath
        ? decoded.replace(/^\.?\//, '')
        : [...above, decoded].filter((part) => part !== '.').join('/')
      const path = `${root === '/' ? '' : root}/${relative}`.replace(/\/+$/, '') || '/'
      if (all.get('type') === 'dir' && !isPath) above.push(decoded)
      const rule = ruleOf(path, all)
      if (typeof rule === 'string') skipped.push({ line: line.trim(), reason: rule })
      else rules.push(rule)
    }
  }
  return { rules, skipped }
}

function ruleOf(path: string, keywords: ReadonlyMap<string, string>): ImportedRule | string {
  if (/[*?[{]/.test(path)) return 'its path has a sign that means something else in a pattern'
  if (!isWithin('/', path) || path.split('/').includes('..')) return 'its path leads elsewhere'
  const type = TYPES[keywords.get('type') ?? '']
  const mode = keywords.get('mode')
  const owner = keywords.get('uname') ?? keywords.get('uid')
  const group = keywords.get('gname') ?? keywords.get('gid')
  const sha256 = keywords.get('sha256digest') ?? keywords.get('sha256')
  const target = keywords.get('link')
  const flags = keywords.get('flags')
  return {
    path,
    ...(keywords.has('optional') && { missing: 'ok' as const }),
    ...(type && { type }),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(mode !== undefined &&
      /^[0-7]{1,5}$/.test(mode) &&
      type !== 'symlink' && { mode: mode.slice(-4).padStart(4, '0') }),
    ...(flags !== undefined && { immutable: /\b[su]chg\b/.test(flags) }),
    ...(target !== undefined && type === 'symlink' && { target: decode(target) }),
    ...(sha256 !== undefined && type === 'file' && { sha256 }),
  }
}

function splitWord(word: string): [string, string] {
  const at = word.indexOf('=')
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
}

/** The octal escapes of vis(3). */
function decode(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

/** The line of mtree(5) for an entry of a tree. */
export function formatMtree(state: EntryState, tree: string): string {
  const relative = state.path === tree ? '.' : `./${state.path.slice(tree === '/' ? 1 : tree.length + 1)}`
  const isSized = state.type === 'file'
  return [
    visible(relative),
    `type=${NAMES.get(state.type) ?? 'file'}`,
    `mode=${state.mode.toString(8).padStart(4, '0')}`,
    `uid=${state.uid}`,
    `gid=${state.gid}`,
    ...(isSized ? [`size=${state.size}`] : []),
    ...(state.target === undefined ? [] : [`link=${visible(state.target)}`]),
    ...(state.sha256 === undefined ? [] : [`sha256digest=${state.sha256}`]),
  ].join(' ')
}

/** Bytes that are no graphic ASCII, "#" and "\\" as octal escapes. */
function visible(name: string): string {
  return [...encodeName(name)]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x23 && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\${byte.toString(8).padStart(3, '0')}`,
    )
    .join('')
}
