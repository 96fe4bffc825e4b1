import {
  type AttributesLost,
  describeError,
  type EntryAttributes,
  errnoOf,
  type FileMaker,
  type HostWriter,
  isWithin,
  type MadeFile,
  printablePath,
  type TreeEntry,
  type TreeWriter,
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

/** Files go back to their owners, and into directories of others. */
export const RESTORE_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_MKNOD',
]

/** The mode of a directory above the restored entries that is not in the backup itself. */
const PARENT_MODE = 0o755

/**
 * Builds the selected entries in a private directory, while the archive is read and nothing of it is certain yet.
 * Links are made only when all content is there, so that nothing is ever written through one.
 */
export class StagedTree implements ArchiveHandler {
  private readonly tree: TreeWriter
  /** Links and special files by name. */
  private readonly later = new Map<string, ArchiveEntry>()
  /** Of the archive that is being read: its place in the chain, and the names that it has told of. */
  private layer = { index: 0, seen: new Set<string>(), gone: new Set<string>(), before: '' }
  /** Parents before what is in them; without an entry for those that are only there to hold others. */
  private readonly directories = new Map<string, ArchiveEntry | undefined>()
  private file: { entry: ArchiveEntry; handle: TreeEntry } | undefined
  /** For all but large files. */
  private readonly files: FileMaker
  /** Takes the content that comes. */
  private content: Pick<FileMaker, 'write'> | undefined
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
    this.files = this.tree.makeFiles((file) => this.fileMade(file))
  }

  about({ chain }: AboutBackup): void {
    const { index, before } = this.layer
    if (chain.index === index && (index === 0 || chain.previous === before)) return
    throw new Error(
      chain.index === 0
        ? 'it is a full backup in the place of one of changes'
        : `it holds the changes since "${chain.previous}", and does not fit behind ${index === 0 ? 'nothing' : `"${before}"`}`,
    )
  }

  /** What follows are the changes of the next archive of the chain, after the one of this name. */
  nextLayer(before: string): void {
    this.layer = { index: this.layer.index + 1, seen: new Set(), gone: new Set(), before }
  }

  removed(name: string): void {
    this.layer.gone.add(name)
  }

  /** Makes what is not there yet, and takes away what the changes say is gone. To be called at the end of each archive. */
  endLayer(): void {
    this.files.finish()
    const { gone } = this.layer
    if (gone.size === 0) return
    const isGone = (name: string) => withAncestors(name).some((path) => gone.has(path))
    for (const name of gone) this.dropStaged(name)
    for (const name of this.directories.keys()) if (isGone(name)) this.directories.delete(name)
    for (const name of this.later.keys()) if (isGone(name)) this.later.delete(name)
  }

  entry(entry: ArchiveEntry): void {
    if (!this.isSelected(entry.name)) return
    const refusal = refuseName(entry.name)
    if (refusal !== undefined) {
      this.outcome.refuse(entry.name, refusal)
      return
    }
    this.attempt(entry.name, () => {
      this.makeRoomFor(entry)
      if (entry.type === 'directory') {
        this.makeDirectories(entry.name)
        if (!this.directories.get(entry.name)) this.outcome.restored++
        this.directories.set(entry.name, entry)
      } else if (entry.type === 'file') {
        this.makeParents(entry.name)
        this.beginFile(entry)
      } else {
        this.later.set(entry.name, entry)
      }
    })
  }

  private beginFile(entry: ArchiveEntry): void {
    const path = this.at(entry.name)
    const { size } = entry
    if (!entry.ranges && this.files.add({ path, size, attributes: this.attributesOf(entry) })) {
      this.content = this.files
      return
    }
    this.waitFor(path)
    const handle = this.tree.createFile(path)
    this.file = { entry, handle }
    this.content = handle
  }

  /** What is to be made in its place, or below, must find it there. */
  private waitFor(path: string): void {
    if (this.files.isPending(path)) this.files.finish()
  }

  data(chunk: Uint8Array): void {
    // A failure to write is one of the whole restore: the disk is full, or broken.
    this.content?.write(chunk)
  }

  hole(bytes: number): void {
    this.file?.handle.skip(bytes)
  }

  entryEnd(): void {
    const { file } = this
    this.content = undefined
    this.file = undefined
    if (!file) return
    this.attempt(file.entry.name, () => {
      try {
        this.count(file.handle.setAttributes(this.attributesOf(file.entry)))
        this.outcome.restored++
      } finally {
        file.handle.close()
      }
    })
  }

  private fileMade({ path, lost, error }: MadeFile): void {
    this.attempt(path.slice(this.path.length + 1), () => {
      if (error) throw error
      this.count(lost)
      this.outcome.restored++
    })
  }

  private count({ owners, extended }: AttributesLost): void {
    this.outcome.ownersLost += owners
    this.outcome.attributesLost += extended
  }

  /** What an archive of changes tells of takes the place of what was there. */
  private makeRoomFor(entry: ArchiveEntry): void {
    const { name, type } = entry
    const { index, seen } = this.layer
    if (index === 0) {
      if (this.later.has(name) || this.directories.get(name)) throw new Error('it is in the backup twice')
      return
    }
    if (seen.has(name)) throw new Error('it is in the backup twice')
    seen.add(name)
    this.later.delete(name)
    const isDirectory = this.directories.has(name)
    if (isDirectory && type === 'directory') return
    this.dropStaged(name)
    if (!isDirectory) return
    for (const path of this.directories.keys()) if (isWithin(name, path)) this.directories.delete(path)
    for (const path of this.later.keys()) if (isWithin(name, path)) this.later.delete(path)
  }

  private dropStaged(name: string): void {
    if (refuseName(name) !== undefined) return
    this.waitFor(this.at(name))
    const stat = this.host.stat(this.at(name))
    if (!stat) return
    if (stat.type === 'directory') this.files.finish()
    this.outcome.restored -= this.countEntries(name)
    this.tree.removeTree(this.at(name))
  }

  /** Makes what points at content. To be called when the archive is known to be unchanged. */
  async finish(): Promise<void> {
    // Hard links first: a symlink must not come to stand where one of them goes.
    const later = [...this.later.values()]
    for (const entry of later.filter(({ type }) => type === 'hard-link')) {
      this.attempt(entry.name, () => this.makeHardLink(entry))
    }
    for (const entry of later.filter(({ type }) => type !== 'hard-link' && type !== 'symlink')) {
      await this.makeSpecial(entry).catch((error) => this.outcome.refuse(entry.name, describeError(error)))
    }
    for (const entry of later.filter(({ type }) => type === 'symlink')) {
      this.attempt(entry.name, () => this.makeSymlink(entry))
    }
  }

  /**
   * Owner, mode and time of directories while they are still aside, where nobody else can reach them: moving one as a
   * whole changes none of it. Where a restore is cut off, those that are in their place are finished.
   */
  prepareDirectories(): void {
    // Who is not root can only move directories that he may write in.
    const addedMode = this.mayMoveAny ? 0 : 0o200
    const { ownersLost, attributesLost } = this.outcome
    for (const [name, wanted] of [...this.directories].reverse()) {
      const entry = wanted && { ...wanted, mode: wanted.mode | addedMode }
      this.attempt(name, () => this.finishDirectory(this.tree, this.at(name), entry))
    }
    // What cannot be set is told when it is tried in its place.
    if (!this.mayMoveAny) Object.assign(this.outcome, { ownersLost, attributesLost })
  }

  /** Sets what had to wait until directories were moved: `place` gives the path of one that was newly made. */
  finishDirectories(place: (name: string) => string | undefined): void {
    if (this.mayMoveAny) return
    for (const [name, entry] of [...this.directories].reverse()) {
      const path = place(name)
      if (path === undefined) continue
      this.attempt(name, () => {
        const pinned = this.host.openDirectory(path)
        try {
          this.finishDirectory(pinned.tree(), path, entry)
        } finally {
          pinned.close()
        }
      })
    }
  }

  private get mayMoveAny(): boolean {
    return this.own.uid === 0
  }

  private finishDirectory(tree: TreeWriter, path: string, entry: ArchiveEntry | undefined): void {
    const handle = tree.openDirectory(path)
    try {
      if (entry) this.count(handle.setAttributes(this.attributesOf(entry)))
      else handle.setMode(PARENT_MODE)
    } finally {
      handle.close()
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
    this.files.close()
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
    this.waitFor(this.at(name))
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
    this.setAttributes(path, entry)
    this.outcome.restored++
  }

  private async makeSpecial(entry: ArchiveEntry): Promise<void> {
    this.makeParents(entry.name)
    const path = this.at(entry.name)
    const real = this.host.root === '/' ? path : `${this.host.root}${path}`
    if (!real.isWellFormed()) throw new Error('its name is no UTF-8, and cannot be given to mkfifo or mknod')
    const mode = ['-m', entry.mode.toString(8).padStart(4, '0')]
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
    this.setAttributes(path, entry)
    this.outcome.restored++
  }

  /** Of what has no mode of its own, or got it when it was made. */
  private setAttributes(path: string, entry: ArchiveEntry): void {
    this.count(this.tree.setAttributes(path, { ...this.attributesOf(entry), mode: undefined }))
  }

  private attributesOf(entry: ArchiveEntry): EntryAttributes {
    const { uid, gid } = this.ownerOf(entry)
    const owner = this.own.uid === uid && this.own.gid === gid ? undefined : { uid, gid }
    return { owner, mode: entry.mode, extended: entry.attributes, mtimeNs: entry.mtimeNs }
  }

  /** By name where this host knows it, as tar does: on a new machine the numbers may differ. */
  private ownerOf(entry: ArchiveEntry): { uid: number; gid: number } {
    const { userName, groupName } = entry
    return {
      uid: (userName === '' ? undefined : this.host.userId(userName)) ?? entry.uid,
      gid: (groupName === '' ? undefined : this.host.groupId(groupName)) ?? entry.gid,
    }
  }
}

/** "a", "a/b", "a/b/c" of "a/b/c". */
function withAncestors(name: string): string[] {
  const paths: string[] = []
  for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) paths.push(name.slice(0, end))
  return [...paths, name]
}
