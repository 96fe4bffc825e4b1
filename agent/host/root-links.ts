import { followEach, lookAtLink } from './links.ts'

/**
 * Where a path leads below another root, every link followed as if that root were "/": an absolute link, or one with
 * "..", stays within. What is not there stays as it is written. Throws for a circle of links.
 */
export function followBelow(root: string, path: string): string {
  const place = followEach(path, (at) => lookAtLink(`${root}${at}`)?.target)
  if (place === undefined) {
    throw Object.assign(new Error('too many levels of symbolic links'), { code: 'ELOOP' })
  }
  return place
}
