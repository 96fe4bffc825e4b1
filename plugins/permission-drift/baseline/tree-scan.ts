import {
  type CheckContext,
  describeError,
  globMatcher,
  isWithin,
  type ScanBatch,
  type SkipReason,
} from '../../../agent/contract/mod.ts'
import type { Config, TreeConfig } from '../config.ts'

/** One look at all of a tree: every entry in order, and what was left out or could not be looked at. */
export class TreeScan {
  examined = 0
  readonly skipped = new Map<SkipReason, number>()
  readonly blind = new Map<string, string>()
  /** There is no such directory: with a baseline that is a finding, without one nothing can be said. */
  isMissing = false
  private readonly unentered = new Set<string>()
  private readonly isExcluded: (path: string) => boolean

  constructor(
    private readonly context: Pick<CheckContext<Config>, 'host' | 'signal' | 'stateDir'>,
    private readonly tree: TreeConfig,
  ) {
    const matches = tree.exclude.length > 0 ? globMatcher(tree.exclude) : () => false
    // The job's own directory changes with every run.
    this.isExcluded = (path) => path === context.stateDir || matches(path)
  }

  async *batches(): AsyncGenerator<ScanBatch> {
    const { path, oneFileSystem, exclude } = this.tree
    if (!this.canBegin()) return
    const batches = this.context.host.scan(path, {
      oneFileSystem,
      signal: this.context.signal,
      leaveOut: [this.context.stateDir],
      ...(exclude.length > 0 && { exclude: this.isExcluded }),
      onBlind: (blindPath, reason) => this.blind.set(blindPath, reason),
      onSkip: (skippedPath, reason) => {
        this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1)
        if (reason !== 'excluded') this.unentered.add(skippedPath)
      },
    })
    for await (const batch of batches) {
      this.examined += batch.entries
      yield batch
    }
  }

  get skippedEntries(): number {
    return [...this.skipped.values()].reduce((sum, count) => sum + count, 0)
  }

  private canBegin(): boolean {
    const { path } = this.tree
    try {
      const top = this.context.host.stat(path)
      if (!top) this.isMissing = true
      if (top?.type !== 'symlink') return top !== undefined
      this.blind.set(path, 'it is a symbolic link: name the directory it leads to')
    } catch (error) {
      this.blind.set(path, describeError(error))
    }
    return false
  }

  /** Whether a path of this tree lies where this scan did not look: blind, excluded, or behind a mount. */
  isUnseen(path: string): boolean {
    for (let part = path; isWithin(this.tree.path, part); part = parentOf(part)) {
      if (this.blind.has(part) || this.isExcluded(part) || (part !== path && this.unentered.has(part)))
        return true
      if (part === '/') return false
    }
    return false
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}
