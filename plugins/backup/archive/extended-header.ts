import { encodeName, formatAcl, parseAcl } from '../../../agent/contract/mod.ts'
import type { Listing } from './entry.ts'

// The records of an extended header that POSIX does not name: as GNU tar and star write them, so that both restore
// what stands in them (GNU tar 1.34, src/xheader.c and "Dumpdir" in its manual).

const ATTRIBUTE = 'SCHILY.xattr.'
const ACLS: Record<string, string> = {
  'system.posix_acl_access': 'SCHILY.acl.access',
  'system.posix_acl_default': 'SCHILY.acl.default',
}
const SELINUX = 'RHT.security.selinux'

/** Key and value of the record that keeps an extended attribute. */
export function attributeRecord(name: string, value: Uint8Array): [key: string, value: Buffer] {
  const acl = ACLS[name]
  if (acl) return [acl, Buffer.from(formatAcl(value), 'latin1')]
  if (name === 'security.selinux') return [SELINUX, Buffer.from(value)]
  // A key ends at its first "=".
  const key = name.replace(/[%=]/g, (character) => (character === '%' ? '%25' : '%3D'))
  return [ATTRIBUTE + key, Buffer.from(value)]
}

/** The attribute that a record keeps; undefined for all other records. */
export function readAttributeRecord(
  key: string,
  value: Buffer,
): [name: string, value: Uint8Array] | undefined {
  if (key === SELINUX) return ['security.selinux', Uint8Array.from(value)]
  const [acl] = Object.entries(ACLS).find(([, name]) => name === key) ?? []
  if (acl) return [acl, parseAcl(value.toString('latin1'), NUMBERS)]
  if (!key.startsWith(ATTRIBUTE)) return undefined
  const name = key.slice(ATTRIBUTE.length).replaceAll('%3D', '=').replaceAll('%25', '%')
  return [name, Uint8Array.from(value)]
}

/** Lists are kept with ids. */
const NUMBERS = { userId: readId, groupId: readId }

function readId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** All names of a directory, each with a letter before and a NUL behind; NUL at the end. */
export function encodeListing(listing: Listing): Buffer {
  const names = listing.map(({ name, isDirectory }) =>
    Buffer.concat([Buffer.from(isDirectory ? 'D' : 'Y', 'latin1'), encodeName(name), Buffer.alloc(1)]),
  )
  return Buffer.concat([...names, Buffer.alloc(1)])
}

export function decodeListing(bytes: Buffer, decode: (name: Buffer) => string): Listing {
  const listing: Listing = []
  let offset = 0
  while (offset < bytes.length - 1) {
    const end = bytes.indexOf(0, offset)
    const letter = bytes.toString('latin1', offset, offset + 1)
    if (end < offset + 2 || (letter !== 'D' && letter !== 'Y'))
      throw new Error('a directory has a malformed list')
    listing.push({ name: decode(bytes.subarray(offset + 1, end)), isDirectory: letter === 'D' })
    offset = end + 1
  }
  if (bytes.length === 0 || bytes[bytes.length - 1] !== 0) throw new Error('a directory has a malformed list')
  return listing
}
