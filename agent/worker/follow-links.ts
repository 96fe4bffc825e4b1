import { lstatSync, readlinkSync } from 'node:fs'
import { decodeName, toSystemPath } from '../host/names.ts'

/** As many as the kernel follows. */
const MAX_LINKS = 40

/**
 * Where a normal path leads when every link on it is followed; undefined when one belongs to a user whom
 * `trusts` does not. What is not there, or cannot be looked at, stays as it is written.
 */
export function followLinks(path: string, trusts: (uid: number) => boolean): string | undefined {
  const rest = components(path)
  let links = 0
  let done = ''
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      done = done.slice(0, Math.max(0, done.lastIndexOf('/')))
      continue
    }
    const link = lookAtLink(`${done}/${name}`)
    if (!link) {
      done = `${done}/${name}`
      continue
    }
    if (!trusts(link.uid) || ++links > MAX_LINKS) return undefined
    if (link.target.startsWith('/')) done = ''
    rest.unshift(...components(link.target))
  }
  return done === '' ? '/' : done
}

function components(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.')
}

function lookAtLink(path: string): { uid: number; target: string } | undefined {
  try {
    const stat = lstatSync(toSystemPath(path))
    if (!stat.isSymbolicLink()) return undefined
    return { uid: stat.uid, target: decodeName(readlinkSync(toSystemPath(path), 'buffer')) }
  } catch {
    return undefined // whoever looks at it later sees why
  }
}
