import { lstatSync, readlinkSync } from 'node:fs'
import { decodeName, toSystemPath } from './names.ts'

/** As many as the kernel follows. */
const MAX_LINKS = 40

/**
 * Where a path leads below another root, every link followed as if that root were "/": an absolute link, or one with
 * "..", stays within. What is not there stays as it is written. Throws for a circle of links.
 */
export function followBelow(root: string, path: string): string {
  const rest = components(path)
  let links = 0
  let done = ''
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      done = done.slice(0, Math.max(0, done.lastIndexOf('/')))
      continue
    }
    const target = linkTarget(`${root}${done}/${name}`)
    if (target === undefined) {
      done = `${done}/${name}`
      continue
    }
    if (++links > MAX_LINKS) {
      throw Object.assign(new Error('too many levels of symbolic links'), { code: 'ELOOP' })
    }
    if (target.startsWith('/')) done = ''
    rest.unshift(...components(target))
  }
  return done === '' ? '/' : done
}

function components(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.')
}

function linkTarget(path: string): string | undefined {
  const real = toSystemPath(path)
  try {
    if (!lstatSync(real).isSymbolicLink()) return undefined
    return decodeName(readlinkSync(real, 'buffer'))
  } catch {
    return undefined // whoever opens it sees why
  }
}
