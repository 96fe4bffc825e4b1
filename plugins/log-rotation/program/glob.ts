import { lstatSync, readdirSync } from 'node:fs'
import { expandBraces } from '../../../agent/lib/glob.ts'
import { accounts } from './identity.ts'

/** glob(3) with home directories: paths in order, or the pattern itself when there is none. */
export function glob(pattern: string): string[] {
  const alternatives = expandBraces(pattern)
  if (alternatives.length === 1) return globOne(pattern)
  const found = alternatives.flatMap(globOne).filter(exists)
  return found.length === 0 ? [pattern] : found
}

function globOne(pattern: string): string[] {
  const expanded = pattern.startsWith('~/') ? accounts.home() + pattern.slice(1) : pattern
  if (!/[*?[]/.test(expanded)) return [expanded]
  const parts = expanded.split('/')
  let found = [expanded.startsWith('/') ? '' : '.']
  if (expanded.startsWith('/')) parts.shift()
  for (const part of parts) {
    if (part === '') continue
    found = /[*?[]/.test(part)
      ? found.flatMap((directory) => matchNames(directory, part))
      : found.map((directory) => `${directory}/${part}`).filter(exists)
  }
  if (found.length === 0) return [expanded]
  const paths = expanded.startsWith('/') ? found : found.map((path) => path.slice(2))
  return paths.sort()
}

function matchNames(directory: string, part: string): string[] {
  const matcher = nameMatcher(part)
  try {
    return readdirSync(directory === '' ? '/' : directory)
      .filter((name) => (part.startsWith('.') || !name.startsWith('.')) && matcher.test(name))
      .map((name) => `${directory}/${name}`)
  } catch {
    return []
  }
}

/** fnmatch(3) of one name. */
export function nameMatcher(pattern: string): RegExp {
  let source = ''
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] ?? ''
    const end = character === '[' ? pattern.indexOf(']', index + 2) : -1
    if (character === '*') source += '.*'
    else if (character === '?') source += '.'
    else if (end > 0) {
      const inside = pattern.slice(index + 1, end)
      const negated = /^[!^]/.test(inside)
      const set = (negated ? inside.slice(1) : inside).replace(/[\\\]]/g, '\\$&').replace(/\[(?!:)/g, '\\[')
      source += `[${negated ? '^' : ''}${set}]`
      index = end
    } else if (character === '\\' && index + 1 < pattern.length) source += literal(pattern[++index] ?? '')
    else source += literal(character)
  }
  return new RegExp(`^${source}$`, 's')
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
