import { errnoOf, type HostReader } from '../../agent/contract/mod.ts'

const MAX_BYTES = 1024 * 1024
/** As many as the kernel follows. */
const MAX_LINKS = 40

/** Text of a file, links followed; undefined when there is none. Throws when it cannot be read. */
export function textOf(host: HostReader, path: string): string | undefined {
  try {
    return host.readText(path, { maxBytes: MAX_BYTES, follow: true })
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Names in a directory; none when there is no such directory. */
export function namesIn(host: HostReader, path: string): string[] {
  try {
    return host.list(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENODEV'].includes(errnoOf(error) ?? '')
}

/** The path without links below the root of the host; undefined when nothing is there. Throws for a loop of links. */
export function realPath(host: HostReader, path: string): string | undefined {
  const rest = path.split('/').filter(Boolean)
  let done = ''
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '.') continue
    if (name === '..') {
      done = done.slice(0, Math.max(0, done.lastIndexOf('/')))
      continue
    }
    const stat = host.stat(`${done}/${name}`)
    if (!stat) return undefined
    if (stat.type !== 'symlink') {
      done = `${done}/${name}`
      continue
    }
    if (++links > MAX_LINKS) throw new Error(`Cannot follow "${path}": too many links`)
    const target = host.readLink(`${done}/${name}`)
    if (target.startsWith('/')) done = ''
    rest.unshift(...target.split('/').filter(Boolean))
  }
  return done === '' ? '/' : done
}

export interface Line {
  path: string
  /** From 1. */
  line: number
  text: string
}

/**
 * The lines of what systemd merges from these directories (the first goes before): of files of the same name the
 * first hides the others, and all are read in the order of their names. `first` is read before them.
 */
export function mergedLines(
  host: HostReader,
  directories: readonly string[],
  first: readonly string[] = [],
): Line[] {
  const files = new Map<string, string>()
  for (const directory of directories.toReversed()) {
    for (const name of namesIn(host, directory))
      if (name.endsWith('.conf')) files.set(name, `${directory}/${name}`)
  }
  const ordered = [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
  return [...first, ...ordered].flatMap((path) => linesOf(path, textOf(host, path) ?? ''))
}

export function linesOf(path: string, text: string): Line[] {
  return text.split('\n').map((line, index) => ({ path, line: index + 1, text: line.trim() }))
}
