import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry } from '../contract/host.ts'
import { describeError, errnoOf } from '../lib/errors.ts'
import { isGlob } from '../lib/path.ts'
import { attempt, listNames, toFileStat } from './files.ts'
import { toSystemPath } from './names.ts'

/**
 * Entries that match a pattern, in tree order. `*` does not cross "/" and does not match a leading dot;
 * `**` is any number of directories, links not followed.
 */
export function globEntries(
  root: string,
  pattern: string,
  onBlind: (path: string, reason: string) => void,
): Entry[] {
  const real = (path: string) => toSystemPath(root === '/' ? path : join(root, path))
  const found: Entry[] = []
  const look = (path: string): Entry | undefined => {
    try {
      return { path, ...toFileStat(lstatSync(real(path))) }
    } catch (error) {
      const code = errnoOf(error)
      if (code !== 'ENOENT' && code !== 'ENOTDIR') onBlind(path, describeError(error))
      return undefined
    }
  }
  const names = (path: string): string[] => {
    try {
      return attempt('list', path, () => listNames(real(path)))
    } catch (error) {
      const code = errnoOf(error)
      if (code !== 'ENOENT' && code !== 'ENOTDIR') onBlind(path, describeError(error))
      return []
    }
  }
  const descend = (parent: string, components: string[]): void => {
    const [component, ...rest] = components
    if (component === undefined) {
      const entry = look(parent === '' ? '/' : parent)
      if (entry) found.push(entry)
      return
    }
    if (component === '**') {
      descend(parent, rest)
      for (const name of names(parent === '' ? '/' : parent)) {
        const path = `${parent}/${name}`
        if (look(path)?.type === 'directory') descend(path, components)
        else if (rest.length === 0) descend(path, [])
      }
      return
    }
    if (!isGlob(component)) {
      descend(`${parent}/${component}`, rest)
      return
    }
    const matcher = new Bun.Glob(component)
    for (const name of names(parent === '' ? '/' : parent)) {
      if (name.startsWith('.') && !component.startsWith('.')) continue
      if (matcher.match(name)) descend(`${parent}/${name}`, rest)
    }
  }
  descend(
    '',
    pattern.split('/').filter((component) => component !== ''),
  )
  return found
}
