import type { ContentRange } from '../../../agent/contract/mod.ts'

export type EntryType =
  | 'file'
  | 'hard-link'
  | 'symlink'
  | 'directory'
  | 'fifo'
  | 'block-device'
  | 'character-device'

/** What a tar archive knows of one entry. Its name has no slash at either end. */
export interface ArchiveEntry {
  name: string
  type: EntryType
  /** Permission bits, 0o7777. */
  mode: number
  uid: number
  gid: number
  userName: string
  groupName: string
  /** Bytes of content that follow; 0 for all but files. */
  size: number
  mtimeNs: bigint
  /** Target of a symlink, or name of the entry that a hard link shares its content with; else "". */
  linkName: string
  /** Of a device; 0 for all others. */
  deviceMajor: number
  deviceMinor: number
  /** Extended attributes by name, in the order of names, as the kernel has them. */
  attributes?: ReadonlyMap<string, Uint8Array> | undefined
  /** Where a file has content; between are holes. Undefined for one without holes. */
  ranges?: ContentRange[] | undefined
  /** Of a directory in a backup of changes: all that is in it, so that what is gone is removed by GNU tar. */
  listing?: Listing | undefined
}

/** Names in a directory, those that are not backed up too. */
export type Listing = { name: string; isDirectory: boolean }[]

/** tar is made of blocks of this size; content is padded to whole ones. */
export const TAR_BLOCK_BYTES = 512

/** Bytes of zeros after content of `size` bytes. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK_BYTES - (size % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES
}
