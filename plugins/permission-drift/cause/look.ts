import { describeError, type EntryState } from '../../../agent/contract/mod.ts'
import { contentDigest, type Evidence } from './evidence.ts'

const MAX_LINKS = 32

/** Closer looks at entries of the host, each content read once in a run. */
export class Look {
  private readonly digests = new Map<string, string | undefined>()

  constructor(private readonly evidence: Evidence) {}

  /** MD5 of a file, if it still is the one that was looked at. */
  md5Of(file: { path: string; ino: number; dev: number }): string | undefined {
    const { path } = file
    if (!this.digests.has(path)) this.digests.set(path, this.readDigest(file))
    return this.digests.get(path)
  }

  private readDigest({ path, ino, dev }: { path: string; ino: number; dev: number }): string | undefined {
    try {
      return contentDigest(this.evidence.host, 'md5', { path, ino, dev })
    } catch (error) {
      const reason = `its content could not be compared with the package: ${describeError(error)}`
      this.evidence.onBlind(path, reason)
      return undefined
    }
  }

  /** The first bytes of a file; undefined when it has not so many, or cannot be read. */
  firstBytes(path: string, count: number): Buffer | undefined {
    try {
      const source = this.evidence.host.open(path)
      try {
        const buffer = Buffer.alloc(count)
        return source.read(buffer, 0) === count ? buffer : undefined
      } finally {
        source.close()
      }
    } catch {
      return undefined // it explains nothing then
    }
  }

  /** When an entry got its state: its last change, and for a directory, which changes with what is in it, its birth. */
  timesOf(after: EntryState): bigint[] {
    if (after.type !== 'directory') return [after.ctimeNs]
    const birthNs = this.evidence.host.exactStat(after.path)?.birthtimeNs
    return birthNs === undefined ? [after.ctimeNs] : [after.ctimeNs, birthNs]
  }

  /** The end of a chain of links, those in the directories on its way followed, too; it need not be there. */
  leadsTo(path: string): string | undefined {
    let current = path
    for (let step = 0; step < MAX_LINKS; step++) {
      const next = this.followOne(current)
      if (next === undefined) return current
      current = next
    }
    return undefined
  }

  /** The path with the first link in it replaced by its target; undefined when there is none. */
  private followOne(path: string): string | undefined {
    const { host } = this.evidence
    const parts = path.split('/').slice(1)
    let resolved = ''
    for (const [index, part] of parts.entries()) {
      const candidate = `${resolved}/${part}`
      if (host.stat(candidate)?.type === 'symlink') {
        const target = absoluteTarget(candidate, host.readLink(candidate))
        return normalize([target, ...parts.slice(index + 1)].join('/'))
      }
      resolved = candidate
    }
    return undefined
  }
}

/** Where a link leads, by its text alone. */
export function absoluteTarget(link: string, target: string): string {
  return normalize(target.startsWith('/') ? target : `${parentOf(link)}/${target}`)
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function normalize(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `/${parts.join('/')}`
}
