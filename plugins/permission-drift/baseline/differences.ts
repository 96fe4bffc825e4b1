import type { Detail, EntryState } from '../../../agent/contract/mod.ts'
import type { Attribute } from '../change.ts'

const DETAIL_OF: Partial<Record<Attribute, Detail>> = {
  content: 'sha256',
  target: 'target',
  acl: 'acl',
  capabilities: 'capabilities',
  xattrs: 'xattrs',
}

/** What has to be read beside a stat so that these attributes can be compared. */
export function detailsFor(attributes: readonly Attribute[]): Detail[] {
  return attributes.flatMap((attribute) => DETAIL_OF[attribute] ?? [])
}

/** Those of the details that an entry of this type can have. */
export function detailsOfType(type: EntryState['type'], details: readonly Detail[]): Detail[] {
  return details.filter((detail) => {
    if (detail === 'sha256') return type === 'file'
    if (detail === 'target') return type === 'symlink'
    if (detail === 'capabilities') return type === 'file'
    return type !== 'symlink'
  })
}

/** The attributes in which two states of an entry differ. Of another type, nothing else is compared. */
export function differences(
  before: EntryState,
  after: EntryState,
  attributes: readonly Attribute[],
): ('type' | Attribute)[] {
  if (before.type !== after.type) return ['type']
  return attributes.filter((attribute) => differs(attribute, before, after))
}

function differs(attribute: Attribute, before: EntryState, after: EntryState): boolean {
  const { type } = after
  switch (attribute) {
    case 'mode':
      return type !== 'symlink' && before.mode !== after.mode
    case 'owner':
      return before.uid !== after.uid
    case 'group':
      return before.gid !== after.gid
    case 'size':
      return (type === 'file' || type === 'symlink') && before.size !== after.size
    case 'content':
      return isOther(before.sha256, after.sha256)
    case 'target':
      return isOther(before.target, after.target)
    case 'acl':
      return isOther(before.acl, after.acl) || isOther(before.defaultAcl, after.defaultAcl)
    case 'capabilities':
      return isOther(before.capabilities, after.capabilities)
    case 'xattrs':
      return isOther(textOf(before.xattrs), textOf(after.xattrs))
    case 'flags':
      return before.flags.join() !== after.flags.join()
    case 'device':
      return before.deviceMajor !== after.deviceMajor || before.deviceMinor !== after.deviceMinor
    case 'links':
      return type !== 'directory' && before.nlink !== after.nlink
    case 'inode':
      return before.ino !== after.ino
    case 'mtime':
      return before.mtimeNs !== after.mtimeNs
  }
}

/** What the baseline does not hold cannot differ from it; that is told of the tree as a whole. */
function isOther(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && after !== undefined && before !== after
}

export function textOf(xattrs: EntryState['xattrs']): string | undefined {
  return (
    xattrs &&
    Object.entries(xattrs)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')
  )
}
