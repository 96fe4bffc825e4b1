/**
 * POSIX access control lists: the value of the attributes system.posix_acl_access and system.posix_acl_default
 * (include/uapi/linux/posix_acl_xattr.h) and their short text form, with ids, as `getfacl -cn` has it.
 */

const VERSION = 2
const ENTRY_BYTES = 8
const NO_ID = 0xffffffff

/** Tags in the order in which the kernel wants them. */
const TAGS = [
  { tag: 0x01, name: 'user', hasId: false },
  { tag: 0x02, name: 'user', hasId: true },
  { tag: 0x04, name: 'group', hasId: false },
  { tag: 0x08, name: 'group', hasId: true },
  { tag: 0x10, name: 'mask', hasId: false },
  { tag: 0x20, name: 'other', hasId: false },
] as const

interface AclEntry {
  tag: number
  id: number
  permissions: number
}

/** The text of a list as the kernel stores it. Throws for what is none. */
export function formatAcl(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = (bytes.length - 4) / ENTRY_BYTES
  if (!Number.isInteger(count) || count < 0 || view.getUint32(0, true) !== VERSION) {
    throw new Error('the access control list is damaged')
  }
  const entries = Array.from({ length: count }, (_, index): AclEntry => {
    const offset = 4 + index * ENTRY_BYTES
    return {
      tag: view.getUint16(offset, true),
      permissions: view.getUint16(offset + 2, true),
      id: view.getUint32(offset + 4, true),
    }
  })
  return entries.map(formatEntry).join(',')
}

function formatEntry({ tag, id, permissions }: AclEntry): string {
  const known = TAGS.find((candidate) => candidate.tag === tag)
  if (!known) throw new Error(`the access control list has an unknown tag ${tag}`)
  const bit = (mask: number, letter: string) => ((permissions & mask) === 0 ? '-' : letter)
  return `${known.name}:${known.hasId ? id : ''}:${bit(4, 'r')}${bit(2, 'w')}${bit(1, 'x')}`
}

export interface AclNames {
  userId: (name: string) => number | undefined
  groupId: (name: string) => number | undefined
}

/** The kernel's form of a text, entries in its order. Throws for what is no list, or has a name that is not known. */
export function parseAcl(text: string, names: AclNames): Uint8Array {
  const entries = text.split(',').map((part) => parseEntry(part.trim(), names))
  const order = (tag: number) => TAGS.findIndex((known) => known.tag === tag)
  entries.sort((a, b) => order(a.tag) - order(b.tag) || a.id - b.id)
  const bytes = new Uint8Array(4 + entries.length * ENTRY_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, VERSION, true)
  for (const [index, { tag, id, permissions }] of entries.entries()) {
    const offset = 4 + index * ENTRY_BYTES
    view.setUint16(offset, tag, true)
    view.setUint16(offset + 2, permissions, true)
    view.setUint32(offset + 4, id, true)
  }
  return bytes
}

const KINDS: Record<string, 'user' | 'group' | 'mask' | 'other'> = {
  u: 'user',
  user: 'user',
  g: 'group',
  group: 'group',
  m: 'mask',
  mask: 'mask',
  o: 'other',
  other: 'other',
}

function parseEntry(text: string, names: AclNames): AclEntry {
  const match = /^([a-z]+):([^:,]*):?([r-][w-][x-]|[0-7])$/.exec(text)
  const name = KINDS[match?.[1] ?? '']
  if (!match || !name) {
    throw new Error(`"${text}" is no entry of an access control list, such as "user:ana:r-x"`)
  }
  const [, , who = '', rights = ''] = match
  const hasId = who !== ''
  const known = TAGS.find((candidate) => candidate.name === name && candidate.hasId === hasId)
  if (!known) throw new Error(`"${text}": "${name}" takes no name`)
  const permissions = /^[0-7]$/.test(rights)
    ? Number(rights)
    : (rights[0] === 'r' ? 4 : 0) + (rights[1] === 'w' ? 2 : 0) + (rights[2] === 'x' ? 1 : 0)
  if (!hasId) return { tag: known.tag, id: NO_ID, permissions }
  const id = name === 'user' ? names.userId(who) : names.groupId(who)
  if (id === undefined) throw new Error(`"${text}": there is no ${name} "${who}" on this host`)
  return { tag: known.tag, id, permissions }
}
