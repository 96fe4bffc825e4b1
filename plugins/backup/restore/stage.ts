import {
  describeError,
  errnoOf,
  type HostWriter,
  printablePath,
  type TreeEntry,
  type TreeWriter,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { ArchiveEntry } from '../archive/entry.ts'
import type { AboutBackup } from '../archive/manifest.ts'
import type { ArchiveHandler } from '../archive/parser.ts'
import { refuseName } from './name.ts'
import type { RestoreOutcome } from './outcome.ts'

const MAKE_PIPE = '/usr/bin/mkfifo'
const MAKE_DEVICE = '/usr/bin/mknod'
export const SYNC = '/usr/bin/sync'
/** What a restore may run: the runtime can make neither pipes nor devices, and cannot sync a whole file system. */
export const RESTORE_PROGRAMS = [MAKE_PIPE, MAKE_DEVICE, SYNC]

/** The mode of a directory above the restored entries that is not in the backup itself. */
const PARENT_MODE = 0o755

/**
 * Builds the selected entries in a private directory, while the archive is read and nothing of it is certain yet.
 * Links are made only when all content is there, so that nothing is ever written through one.
 */
export class StagedTree implements ArchiveHandler {
  private readonly tree: TreeWriter
  private readonly later: ArchiveEntry[] = []
  /** Parents before what is in them; without an entry for those that are only there to hold others. */
  private readonly directories = new Map<string, ArchiveEntry | undefined>()
  private file: { entry: ArchiveEntry; handle: TreeEntry } | undefined
  private canSetOwner = true
  /** Whose files are made when nothing else is said. */
  readonly own: { uid: number; gid: number }

  constructor(
    private readonly host: HostWriter,
    readonly path: string,
    private readonly isSelected: (name: string) => boolean,
    private readonly outcome: RestoreOutcome,
  ) {
    this.tree = host.tree()
    this.tree.makeDirectory(path)
    const own = host.stat(path)
    if (!own) throw new Error(`Cannot restore to "${path}": it was removed`)
    this.own = own
  }

  about({ chain }: AboutBackup): void {
    if (chain.index === 0) return
    throw new UserError(
      `Cannot restore it alone: it holds the changes since "${chain.previous}" only. Restore its chain, from "${chain.full}" on`,
    )
  }

  entry(entry: ArchiveEntry): void {
    if (!this.isSelected(entry.name)) return
    const refusal = refuseName(entry.name)
    if (refusal !== undefined) {
      this.outcome.refuse(entry.name, refusal)
      return
    }
    this.attempt(entry.name, () => {
      if (entry.type === 'directory') {
        this.makeDirectories(entry.name)
        if (this.directories.get(entry.name)) throw new Error('it is in the backup twice')
        this.directories.set(entry.name, entry)
        this.outcome.restored++
      } else if (entry.type === 'file') {
        this.makeParents(entry.name)
        this.file = { entry, handle: this.tree.createFile(this.at(entry.name)) }
      } else {
        this.later.push(entry)
      }
    })
  }

  data(chunk: Uint8Array): void {
    // A failure to write is one of the whole restore: the disk is full, or broken.
    this.file?.handle.write(chunk)
  }

  hole(bytes: number): void {
    this.file?.handle.skip(bytes)
  }

  entryEnd(): void {
    const { file } = this
    this.file = undefined
    if (!file) return
    this.attempt(file.entry.name, () => {
      try {
        this.setAttributes(file.handle, file.entry)
        this.outcome.restored++
      } finally {
        file.handle.close()
      }
    })
  }

  /** Makes what points at content. To be called when the archive is known to be unchanged. */
  async finish(): Promise<void> {
    // Hard links first: a symlink must not come to stand where one of them goes.
    for (const entry of this.later.filter(({ type }) => type === 'hard-link')) {
      this.attempt(entry.name, () => this.makeHardLink(entry))
    }
    for (const entry of this.later.filter(({ type }) => type !== 'hard-link' && type !== 'symlink')) {
      await this.makeSpecial(entry).catch((error) => this.outcome.refuse(entry.name, describeError(error)))
    }
    for (const entry of this.later.filter(({ type }) => type === 'symlink')) {
      this.attempt(entry.name, () => this.makeSymlink(entry))
    }
  }

  /** Owner, mode and time of directories, last of all: `place` gives the path of one that was newly made. */
  finishDirectories(place: (name: string) => string | undefined): void {
    for (const [name, entry] of [...this.directories].reverse()) {
      const path = place(name)
      if (path === undefined) continue
      this.attempt(name, () => {
        const pinned = this.host.openDirectory(path)
        try {
          const handle = pinned.tree().openDirectory(path)
          try {
            if (entry) this.setAttributes(handle, entry)
            else handle.setMode(PARENT_MODE)
          } finally {
            handle.close()
          }
        } finally {
          pinned.close()
        }
      })
    }
  }

  /** Entries of the backup at and below a name: how many are lost when it cannot be placed. */
  countEntries(name: string): number {
    const path = this.at(name)
    if (this.host.stat(path)?.type !== 'directory') return 1
    const below = this.host.list(path).reduce((sum, child) => sum + this.countEntries(`${name}/${child}`), 0)
    return below + (this.directories.get(name) ? 1 : 0)
  }

  remove(): void {
    this.file?.handle.close()
    this.tree.removeTree(this.path)
  }

  private at(name: string): string {
    return `${this.path}/${name}`
  }

  private attempt(name: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') throw error
      this.outcome.refuse(
        name,
        errnoOf(error) === 'EEXIST' ? 'it is in the backup twice' : describeError(error),
      )
    }
  }

  private makeParents(name: string): void {
    const slash = name.lastIndexOf('/')
    if (slash > 0) this.makeDirectories(name.slice(0, slash))
  }

  private makeDirectories(name: string): void {
    if (this.directories.has(name)) return
    this.makeParents(name)
    this.tree.makeDirectory(this.at(name))
    this.directories.set(name, undefined)
  }

  private makeHardLink(entry: ArchiveEntry): void {
    const refusal = refuseName(entry.linkName)
    if (refusal !== undefined) throw new Error(`it is a link to an entry that is refused: ${refusal}`)
    if (this.host.stat(this.at(entry.linkName))?.type !== 'file') {
      throw new Error(`it shares its content with "${printablePath(entry.linkName)}", which is not restored`)
    }
    this.makeParents(entry.name)
    this.tree.makeHardLink(this.at(entry.name), this.at(entry.linkName))
    this.outcome.restored++
  }

  private makeSymlink(entry: ArchiveEntry): void {
    this.makeParents(entry.name)
    const path = this.at(entry.name)
    this.tree.makeSymlink(path, entry.linkName)
    const { uid, gid } = this.ownerOf(entry)
    this.tryOwner(uid, gid, () => this.tree.setLinkOwner(path, uid, gid))
    for (const [name, value] of entry.attributes ?? [])
      this.tryAttribute(() => this.tree.setExtendedAttribute(path, name, value))
    this.tree.setLinkTime(path, entry.mtimeNs)
    this.outcome.restored++
  }

  private async makeSpecial(entry: ArchiveEntry): Promise<void> {
    this.makeParents(entry.name)
    const path = this.at(entry.name)
    const real = this.host.root === '/' ? path : `${this.host.root}${path}`
    if (!real.isWellFormed()) throw new Error('its name is no UTF-8, and cannot be given to mkfifo or mknod')
    const mode = ['-m', entry.mode.toString(8).padStart(4, '0')]
    const { uid, gid } = this.ownerOf(entry)
    const argv: [string, ...string[]] =
      entry.type === 'fifo'
        ? [MAKE_PIPE, ...mode, real]
        : [
            MAKE_DEVICE,
            ...mode,
            real,
            entry.type === 'block-device' ? 'b' : 'c',
            String(entry.deviceMajor),
            String(entry.deviceMinor),
          ]
    const result = await this.host.run(argv, { timeout: 10_000 })
    if (result.exitCode !== 0) throw new Error(`it could not be made: ${result.stderr.trim()}`)
    this.tryOwner(uid, gid, () => this.tree.setLinkOwner(path, uid, gid))
    for (const [name, value] of entry.attributes ?? [])
      this.tryAttribute(() => this.tree.setExtendedAttribute(path, name, value))
    this.tree.setLinkTime(path, entry.mtimeNs)
    this.outcome.restored++
  }

  private setAttributes(handle: TreeEntry, entry: ArchiveEntry): void {
    const { uid, gid } = this.ownerOf(entry)
    const hasOwner = this.tryOwner(uid, gid, () => handle.setOwner(uid, gid))
    for (const [name, value] of entry.attributes ?? []) {
      // A capability of somebody else's program is not given to one of ours.
      if (!hasOwner && name === 'security.capability') this.outcome.attributesLost++
      else this.tryAttribute(() => handle.setExtendedAttribute(name, value))
    }
    // Without its owner, what runs with the owner's rights would run with somebody else's.
    handle.setMode(hasOwner ? entry.mode : entry.mode & 0o1777)
    handle.setTime(entry.mtimeNs)
  }

  private tryAttribute(set: () => void): void {
    try {
      set()
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'ENOSPC' || code === 'EDQUOT') throw error
      this.outcome.attributesLost++
    }
  }

  /** By name where this host knows it, as tar does: on a new machine the numbers may differ. */
  private ownerOf(entry: ArchiveEntry): { uid: number; gid: number } {
    const { userName, groupName } = entry
    return {
      uid: (userName === '' ? undefined : this.host.userId(userName)) ?? entry.uid,
      gid: (groupName === '' ? undefined : this.host.groupId(groupName)) ?? entry.gid,
    }
  }

  /** Whether the entry has the owner that it should have. */
  private tryOwner(uid: number, gid: number, set: () => void): boolean {
    if (this.own.uid === uid && this.own.gid === gid) return true
    try {
      if (this.canSetOwner) {
        set()
        return true
      }
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error
      this.canSetOwner = false
    }
    this.outcome.ownersLost++
    return false
  }
}
