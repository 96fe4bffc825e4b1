import type { Entry } from './host.ts'

/** What statx calls attributes and chattr sets. */
export const FILE_FLAGS = ['append-only', 'immutable', 'no-dump', 'verity'] as const
export type FileFlag = (typeof FILE_FLAGS)[number]

/** What of an entry takes more than a stat: it is read only where it is asked for. */
export const DETAILS = ['target', 'sha256', 'acl', 'capabilities', 'xattrs'] as const
export type Detail = (typeof DETAILS)[number]

/** Undefined: not asked for. Empty: there is none. */
export interface EntryDetails {
  /** Where a symbolic link leads, as it is written. */
  target?: string
  /** Of the contents of a regular file, 64 hex digits. */
  sha256?: string
  /**
   * POSIX access control list in getfacl's short form with ids, "user::rw-,user:1000:r--,group::r--,mask::r--,
   * other::---"; empty where the mode says it all.
   */
  acl?: string
  /** Of a directory: what new entries in it get. */
  defaultAcl?: string
  /** File capabilities as getcap shows them: "cap_net_bind_service=ep". */
  capabilities?: string
  /** The other extended attributes by name: hex of the value, or "sha256:" and its hash where it is longer than 64 bytes. */
  xattrs?: Record<string, string>
}

/** An entry with all that is known about it. */
export interface EntryState extends Entry, EntryDetails {
  mtimeNs: bigint
  ctimeNs: bigint
  /** Of a device file; 0 else. */
  deviceMajor: number
  deviceMinor: number
  /** Sorted. */
  flags: FileFlag[]
}

/** What is to be read of an entry that was looked at. */
export interface DetailRequest extends Pick<Entry, 'path' | 'type' | 'ino' | 'size'> {
  wanted: readonly Detail[]
}
