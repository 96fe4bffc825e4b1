import type { HostReader } from '../../../agent/contract/mod.ts'

// https://bford.info/cachedir/

const TAG = 'CACHEDIR.TAG'
const SIGNATURE = 'Signature: 8a477f597d28d172789f06886806bc55'
/** Directories that are remembered: as many as can be open in a walk, and more. */
const REMEMBERED = 256

/** Knows which directories hold only what can be made again. */
export class CacheDirectories {
  private readonly known = new Map<string, boolean>()

  constructor(private readonly host: HostReader) {}

  /** Whether an entry is in such a directory, and is not the tag that says so. */
  isContent(path: string, name: string): boolean {
    return name !== TAG && this.isCache(path.slice(0, path.length - name.length - 1))
  }

  private isCache(directory: string): boolean {
    const known = this.known.get(directory)
    if (known !== undefined) return known
    if (this.known.size >= REMEMBERED) this.known.clear()
    const isCache = this.hasTag(`${directory}/${TAG}`)
    this.known.set(directory, isCache)
    return isCache
  }

  private hasTag(path: string): boolean {
    try {
      if (this.host.stat(path)?.type !== 'file') return false
      const source = this.host.open(path)
      try {
        const start = Buffer.alloc(SIGNATURE.length)
        return source.read(start, 0) === start.length && start.toString('latin1') === SIGNATURE
      } finally {
        source.close()
      }
    } catch {
      return false // without a tag that can be read nothing is left out
    }
  }
}
