import { isWithin } from '../../../agent/contract/mod.ts'
import type { ArchiveEntry, EntryType } from '../archive/entry.ts'
import type { BackupHandler } from '../archive/reader.ts'
import type { OpenedMessage } from '../encryption.ts'
import { readBackup } from '../read.ts'
import type { StoredLayer } from './restore.ts'

/** What a backup knows of an entry, without its content. */
export interface ContentEntry {
  type: EntryType
  mode: number
  uid: number
  gid: number
  size: number
  mtimeNs: bigint
  linkName: string
  /** Of the content of a file; undefined for all else. */
  sha256: string | undefined
}

/** All that a backup holds, by name, put together from the full archive and the changes since. */
export class Contents implements Pick<BackupHandler, 'entry' | 'entryEnd' | 'removed'> {
  readonly entries = new Map<string, ContentEntry>()
  private readonly gone = new Set<string>()
  private last: ContentEntry | undefined

  constructor(private readonly isSelected: (name: string) => boolean) {}

  entry({ name, type, mode, uid, gid, size, mtimeNs, linkName }: ArchiveEntry): void {
    this.last = undefined
    if (!this.isSelected(name)) return
    if (this.entries.get(name)?.type === 'directory' && type !== 'directory') {
      for (const path of this.entries.keys()) if (isWithin(name, path)) this.entries.delete(path)
    }
    this.last = { type, mode, uid, gid, size, mtimeNs, linkName, sha256: undefined }
    this.entries.set(name, this.last)
  }

  entryEnd(sha256?: string): void {
    if (this.last) this.last.sha256 = sha256
  }

  removed(name: string): void {
    this.gone.add(name)
  }

  /** To be called at the end of each archive. */
  endLayer(): void {
    const { gone } = this
    if (gone.size === 0) return
    for (const name of this.entries.keys()) {
      for (let end = name.length; end > 0; end = name.lastIndexOf('/', end - 1)) {
        if (!gone.has(name.slice(0, end))) continue
        this.entries.delete(name)
        break
      }
    }
    gone.clear()
  }
}

/** Reads all archives of a backup to their ends: what they hold is only believed then. */
export async function readContents(
  layers: readonly StoredLayer[],
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  isSelected: (name: string) => boolean,
): Promise<ReadonlyMap<string, ContentEntry>> {
  const contents = new Contents(isSelected)
  for (const { name, stored, sha256 } of layers) {
    const found = await readBackup(stored(), unlock, contents)
    if (sha256 !== undefined && found.sha256 !== sha256) {
      throw new Error(`"${name}" is not what its host has signed`)
    }
    contents.endLayer()
  }
  return contents.entries
}
