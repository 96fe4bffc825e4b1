import { followEach, lookAtLink } from '../host/links.ts'

/**
 * Where a normal path leads when every link on it is followed; undefined when one belongs to a user whom
 * `trusts` does not. What is not there, or cannot be looked at, stays as it is written.
 */
export function followLinks(path: string, trusts: (uid: number) => boolean): string | undefined {
  return followEach(path, (place) => {
    const link = lookAtLink(place)
    return link && !trusts(link.uid) ? null : link?.target
  })
}
