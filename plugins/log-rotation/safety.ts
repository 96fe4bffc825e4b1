import type { FileStat } from '../../agent/contract/mod.ts'

/** A directory on the way to a log, from "/" down, as lstat sees it. */
export interface DirectoryOnTheWay {
  path: string
  stat: FileStat
}

/**
 * Why it is not safe to rotate a log; undefined when it is.
 *
 * `directories` ends with the one that holds the log. `names` is how many names of the file belong to the log's
 * own family (the log, and a generation that a cut-off rotation left linked to it); more names than these are
 * somebody else's. `uid` is whom this process works as: in a directory of another user, or as root, others who
 * can write there could put something else in the place of a log.
 */
export function judgeSafety(
  log: FileStat,
  directories: DirectoryOnTheWay[],
  names: number,
  uid: number,
): string | undefined {
  if (log.type === 'symlink') return 'it is a symbolic link'
  if (log.type !== 'file') return `it is a ${log.type}, not a file`
  if (log.nlink > names) return `it has ${log.nlink} hard links`
  for (const { path, stat } of directories) {
    if (stat.type === 'symlink') return `"${path}" on the way to it is a symbolic link: use the real path`
  }
  const parent = directories.at(-1)
  if (!parent || (uid !== 0 && parent.stat.uid === uid)) return undefined
  if (parent.stat.mode & 0o002) return `everybody can write to its directory "${parent.path}"`
  if (parent.stat.mode & 0o020 && parent.stat.gid !== 0) {
    return `the group ${parent.stat.gid} can write to its directory "${parent.path}"`
  }
  return undefined
}
