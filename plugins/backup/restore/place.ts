import { describeError, errnoOf, type HostWriter } from '../../../agent/contract/mod.ts'
import type { RestoreOutcome } from './outcome.ts'
import type { StagedTree } from './stage.ts'

const COMPARED_BYTES = 262_144

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
    } else if (this.isSame(from, to)) {
      return // A restore that was cut off had come that far.
    } else {
      this.refuse(name, 'it is there already (--overwrite replaces it)')
    }
  }

  private isSame(from: string, to: string): boolean {
    const [mine, there] = [this.host.exactStat(from), this.host.exactStat(to)]
    if (!mine || !there || mine.type !== there.type) return false
    if (mine.type === 'symlink') return this.host.readLink(from) === this.host.readLink(to)
    return (
      mine.type === 'file' &&
      mine.size === there.size &&
      mine.mtimeNs === there.mtimeNs &&
      mine.mode === there.mode &&
      mine.uid === there.uid &&
      mine.gid === there.gid &&
      this.hasSameContent(from, to)
    )
  }

  private hasSameContent(a: string, b: string): boolean {
    const [one, other] = [this.host.open(a), this.host.open(b)]
    try {
      const buffers = [Buffer.allocUnsafe(COMPARED_BYTES), Buffer.allocUnsafe(COMPARED_BYTES)] as const
      for (let position = 0; ; ) {
        const count = one.read(buffers[0], position)
        if (other.read(buffers[1], position) !== count) return false
        if (count === 0) return true
        if (!buffers[0].subarray(0, count).equals(buffers[1].subarray(0, count))) return false
        position += count
      }
    } finally {
      one.close()
      other.close()
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
