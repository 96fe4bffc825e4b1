import { errnoOf, type FileStat, type HostReader } from '../../../agent/contract/mod.ts'

type Files = Pick<HostReader, 'stat' | 'readLink' | 'userName' | 'groupName'>

const MAX_LINKS = 20

/**
 * Who else can put something else in the place of a path, with the place where: the path itself, a directory above
 * it, or what a link on the way leads to. Undefined: nobody but those who are trusted, or it is not there.
 */
export function whoCanReplace(
  host: Files,
  path: string,
  trusted: ReadonlySet<number>,
): { path: string; who: string } | undefined {
  const components = path.split('/').filter((part) => part !== '')
  let at = ''
  let links = 0
  while (components.length > 0) {
    const name = components.shift() ?? ''
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')))
      continue
    }
    if (name === '.') continue
    const place = `${at}/${name}`
    const stat = statOf(host, place)
    if (!stat) return undefined
    const who = whoCanWrite(host, stat, trusted)
    if (who) return { path: place, who }
    if (stat.type !== 'symlink') at = place
    else {
      if (++links > MAX_LINKS) return undefined
      const target = host.readLink(place)
      components.unshift(...target.split('/').filter((part) => part !== ''))
      if (target.startsWith('/')) at = ''
    }
  }
  return undefined
}

/** Pure but for names. A sticky directory keeps others from replacing what is not theirs. */
export function whoCanWrite(
  host: Pick<Files, 'userName' | 'groupName'>,
  stat: FileStat,
  trusted: ReadonlySet<number>,
): string | undefined {
  if (!trusted.has(stat.uid)) return `user ${host.userName(stat.uid)}`
  if (stat.type === 'symlink') return undefined
  const isSticky = stat.type === 'directory' && (stat.mode & 0o1000) !== 0
  if (!isSticky && (stat.mode & 0o002) !== 0) return 'everybody'
  if (!isSticky && (stat.mode & 0o020) !== 0 && stat.gid !== 0 && !trusted.has(stat.gid)) {
    return `group ${host.groupName(stat.gid)}`
  }
  return undefined
}

function statOf(host: Files, path: string): FileStat | undefined {
  try {
    return host.stat(path)
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return undefined
    throw error
  }
}
