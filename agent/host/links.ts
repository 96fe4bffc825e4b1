import { lstatSync, readlinkSync } from 'node:fs'
import { decodeName, toSystemPath } from './names.ts'

/** As many as the kernel follows. */
const MAX_LINKS = 40

/**
 * Where a normal path leads when every link on it is followed. `targetAt` gives the target of the link at a place,
 * undefined where there is none, null for one that must not be followed. Undefined after such a one, and for a circle.
 */
export function followEach(
  path: string,
  targetAt: (place: string) => string | undefined | null,
): string | undefined {
  const rest = components(path)
  let links = 0
  let done = ''
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      done = done.slice(0, Math.max(0, done.lastIndexOf('/')))
      continue
    }
    const target = targetAt(`${done}/${name}`)
    if (target === undefined) {
      done = `${done}/${name}`
      continue
    }
    if (target === null || ++links > MAX_LINKS) return undefined
    if (target.startsWith('/')) done = ''
    rest.unshift(...components(target))
  }
  return done === '' ? '/' : done
}

function components(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.')
}

/** Undefined where no link is, or where it cannot be looked at: whoever opens it sees why. */
export function lookAtLink(path: string): { uid: number; target: string } | undefined {
  const real = toSystemPath(path)
  try {
    const stat = lstatSync(real)
    return stat.isSymbolicLink()
      ? { uid: stat.uid, target: decodeName(readlinkSync(real, 'buffer')) }
      : undefined
  } catch {
    return undefined
  }
}
