import { describeError, errnoOf, type HostWriter } from '../../../agent/contract/mod.ts'
import type { RestoreOutcome } from './outcome.ts'
import type { StagedTree } from './stage.ts'

/**
 * Moves a staged tree into its target. What is not there yet is moved as a whole; directories that are there are
 * entered through a handle, never through a link; a file that is there is left alone, or replaced where `overwrite`.
 */
export class Placement {
  /** Directories that were there before: what they are like is not the backup's to say. */
  private readonly merged = new Set<string>()
  private readonly refused = new Set<string>()

  constructor(
    private readonly host: HostWriter,
    private readonly staged: StagedTree,
    private readonly target: string,
    private readonly overwrite: boolean,
    private readonly outcome: RestoreOutcome,
  ) {}

  run(): void {
    this.mergeDirectory('')
  }

  /** The path of a directory that is new in the target; undefined for all others. */
  newDirectory(name: string): string | undefined {
    if (this.merged.has(name)) return undefined
    for (let end = name.length; end > 0; end = name.lastIndexOf('/', end - 1)) {
      if (this.refused.has(name.slice(0, end))) return undefined
    }
    return this.at(this.target, name)
  }

  private mergeDirectory(name: string): void {
    this.merged.add(name)
    const from = this.at(this.staged.path, name)
    const into = this.host.openDirectory(this.at(this.target, name))
    try {
      for (const child of this.host.list(from)) {
        const path = name === '' ? child : `${name}/${child}`
        try {
          this.place(into, path)
        } catch (error) {
          if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') throw error
          this.refuse(path, describeError(error))
        }
      }
    } finally {
      into.close()
    }
  }

  private place(into: HostWriter, name: string): void {
    const [from, to] = [this.at(this.staged.path, name), this.at(this.target, name)]
    const mine = this.host.stat(from)
    const there = into.stat(to)
    if (!mine) throw new Error('it was removed while the restore ran')
    if (!there) {
      into.tree().move(from, to)
    } else if (mine.type === 'directory' && there.type === 'directory') {
      this.mergeDirectory(name)
    } else if (mine.type === 'directory' || there.type === 'directory') {
      this.refuse(name, `a ${there.type} is in its place`)
    } else if (this.overwrite) {
      into.tree().move(from, to, { replace: true })
    } else {
      this.refuse(name, 'it is there already (--overwrite replaces it)')
    }
  }

  private refuse(name: string, reason: string): void {
    this.refused.add(name)
    const count = this.staged.countEntries(name)
    this.outcome.restored -= count
    this.outcome.refuse(name, reason, count)
  }

  private at(base: string, name: string): string {
    if (name === '') return base
    return base === '/' ? `/${name}` : `${base}/${name}`
  }
}
