import {
  type CheckContext,
  describeError,
  type Entry,
  type FileStat,
  globMatcher,
  isWithin,
} from '../../../agent/contract/mod.ts'
import type { Config, TreeConfig } from '../config.ts'

/** One look at all of a tree: every entry in order, and what was left out or could not be looked at. */
export class TreeWalk {
  examined = 0
  /** Excluded by the config, or on another file system. */
  skipped = 0
  readonly blind = new Map<string, string>()
  /** There is no such directory: with a baseline that is a finding, without one nothing can be said. */
  isMissing = false
  private readonly mounts = new Set<string>()
  private readonly isExcluded: (path: string) => boolean

  constructor(
    private readonly context: Pick<CheckContext<Config>, 'host' | 'signal' | 'stateDir'>,
    private readonly tree: TreeConfig,
  ) {
    const matches = tree.exclude.length > 0 ? globMatcher(tree.exclude) : () => false
    // The job's own directory changes with every run.
    this.isExcluded = (path) => path === context.stateDir || matches(path)
  }

  async visit(act: (entry: Entry) => void, onBatch: (examined: number) => void): Promise<void> {
    const { path, oneFileSystem } = this.tree
    const top = this.lookAtTop()
    if (!top) return
    const batches = this.context.host.walk(path, {
      oneFileSystem,
      signal: this.context.signal,
      onBlind: (blindPath, reason) => this.blind.set(blindPath, reason),
      exclude: (candidate) => {
        const excluded = this.isExcluded(candidate)
        if (excluded) this.skipped++
        return excluded
      },
    })
    for await (const batch of batches) {
      for (const entry of batch) {
        act(entry)
        if (oneFileSystem && entry.type === 'directory' && entry.dev !== top.dev) {
          this.mounts.add(entry.path)
          this.skipped++
        }
      }
      this.examined += batch.length
      onBatch(this.examined)
    }
  }

  /** The directory itself; undefined when there is nothing to walk. */
  private lookAtTop(): FileStat | undefined {
    const { path } = this.tree
    try {
      const top = this.context.host.stat(path)
      if (!top) this.isMissing = true
      if (top?.type !== 'symlink') return top
      this.blind.set(path, 'it is a symbolic link: name the directory it leads to')
    } catch (error) {
      this.blind.set(path, describeError(error))
    }
    return undefined
  }

  /** Whether a path of this tree lies where this walk did not look: blind, excluded, or behind a mount. */
  isUnseen(path: string): boolean {
    for (let part = path; isWithin(this.tree.path, part); part = parentOf(part)) {
      if (this.blind.has(part) || this.isExcluded(part) || (part !== path && this.mounts.has(part)))
        return true
      if (part === '/') return false
    }
    return false
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}
