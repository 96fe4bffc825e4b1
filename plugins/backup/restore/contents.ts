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
  /** Name of the archive of the chain that it is in. */
  archive: string
}

/**
 * All that a backup holds, by name, in the order of the archives: the full one and the changes since. Only believed
 * when every archive was read to its end.
 */
export async function readContents(
  layers: readonly StoredLayer[],
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  isSelected: (name: string) => boolean,
  onFile?: (entry: ArchiveEntry) => Partial<Pick<BackupHandler, 'data' | 'entryEnd'>>,
): Promise<Map<string, ContentEntry>> {
  const contents = new Map<string, ContentEntry>()
  for (const { name: archive, stored, sha256 } of layers) {
    const gone = new Set<string>()
    let file: Partial<Pick<BackupHandler, 'data' | 'entryEnd'>> | undefined
    const found = await readBackup(stored(), unlock, {
      removed: (name) => void gone.add(name),
      entry(entry) {
        file = undefined
        if (!isSelected(entry.name)) return
        const before = contents.get(entry.name)
        if (before?.type === 'directory' && entry.type !== 'directory') dropBelow(contents, entry.name)
        const { type, mode, uid, gid, size, mtimeNs, linkName } = entry
        contents.set(entry.name, { type, mode, uid, gid, size, mtimeNs, linkName, archive })
        file = onFile?.(entry)
      },
      data: (chunk) => file?.data?.(chunk),
      entryEnd: () => file?.entryEnd?.(),
    })
    if (sha256 !== undefined && found.sha256 !== sha256) {
      throw new Error(`"${archive}" is not what its host has signed`)
    }
    dropGone(contents, gone)
  }
  return contents
}

function dropBelow(contents: Map<string, ContentEntry>, name: string): void {
  for (const path of contents.keys()) if (isWithin(name, path)) contents.delete(path)
}

function dropGone(contents: Map<string, ContentEntry>, gone: ReadonlySet<string>): void {
  if (gone.size === 0) return
  for (const name of contents.keys()) {
    for (let end = name.length; end > 0; end = name.lastIndexOf('/', end - 1)) {
      if (!gone.has(name.slice(0, end))) continue
      contents.delete(name)
      break
    }
  }
}
