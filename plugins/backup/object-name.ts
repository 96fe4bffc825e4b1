// A chain is a full backup and the changes since, in order. All objects of one begin with the same text, and sort
// in the order in which they are to be restored:
//
//     etc-20261123T031500Z-full.tar.zst.gpg
//     etc-20261123T031500Z-inc001-20261124T031500Z.tar.zst.gpg
//
// Beside each stands its seal, a small signed text that says which object it is and what it holds.

export const BACKUP_SUFFIX = '.tar.zst.gpg'
const SEAL_SUFFIX = '.sha256.asc'
const NAME = /^(.+-\d{8}T\d{6}Z)-(?:full|inc(\d{3})-(\d{8}T\d{6}Z))\.tar\.zst\.gpg$/

export interface BackupName {
  job: string
  /** "etc-20261123T031500Z": what all objects of the chain begin with. */
  chain: string
  /** 0 is the full backup. */
  index: number
  createdAt: Date
}

export function fullName(job: string, now: Date): string {
  return `${job}-${stampOf(now)}-full${BACKUP_SUFFIX}`
}

/** Name of the next object of a chain. */
export function incrementName(chain: string, index: number, now: Date): string {
  return `${chain}-inc${String(index).padStart(3, '0')}-${stampOf(now)}${BACKUP_SUFFIX}`
}

/** What a name says; undefined for the name of anything but a backup. */
export function parseBackupName(name: string): BackupName | undefined {
  const [, chain, digits, stamp] = NAME.exec(name) ?? []
  if (chain === undefined) return undefined
  const createdAt = dateOf(stamp ?? chain.slice(-16))
  if (!createdAt) return undefined
  return { job: chain.slice(0, -17), chain, index: Number(digits ?? 0), createdAt }
}

/** Name of the seal of a backup. */
export function sealName(backup: string): string {
  return backup.slice(0, -BACKUP_SUFFIX.length) + SEAL_SUFFIX
}

/** "20261123T031500Z". */
function stampOf(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, '')
}

function dateOf(stamp: string): Date | undefined {
  const iso = stamp.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z')
  const date = new Date(iso)
  return Number.isNaN(date.getTime()) ? undefined : date
}
