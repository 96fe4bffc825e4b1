import type { Detail, EntryDetails } from '../contract/entry-state.ts'
import type { FileType } from '../contract/host.ts'
import { formatAcl } from '../lib/access-control-list.ts'
import { sha256 } from '../lib/digest.ts'
import { formatCapabilities } from '../lib/file-capabilities.ts'
import { decodeName } from '../lib/names.ts'
import { extendedAttributes } from './extended-attributes.ts'

const ACCESS_LIST = 'system.posix_acl_access'
const DEFAULT_LIST = 'system.posix_acl_default'
const CAPABILITIES = 'security.capability'
const LONGEST_SHOWN = 64

/** Which of the details are extended attributes. */
export function wantsAttributes(wanted: readonly Detail[]): boolean {
  return wanted.includes('acl') || wanted.includes('capabilities') || wanted.includes('xattrs')
}

/** The extended attributes of an entry, sorted out; of a symbolic link there are none. Throws when they cannot be read. */
export function readExtendedAttributes(
  path: Buffer,
  type: FileType,
  wanted: readonly Detail[],
): EntryDetails {
  const found = type === 'symlink' ? new Map<string, Uint8Array>() : extendedAttributes(path)
  const details: EntryDetails = {}
  if (wanted.includes('acl')) {
    const access = found.get(ACCESS_LIST)
    const standard = found.get(DEFAULT_LIST)
    details.acl = access ? formatAcl(access) : ''
    if (type === 'directory') details.defaultAcl = standard ? formatAcl(standard) : ''
  }
  if (wanted.includes('capabilities')) {
    const capabilities = found.get(CAPABILITIES)
    details.capabilities = capabilities ? formatCapabilities(capabilities) : ''
  }
  if (wanted.includes('xattrs')) {
    const others = [...found].filter(([name]) => ![ACCESS_LIST, DEFAULT_LIST, CAPABILITIES].includes(name))
    details.xattrs = Object.fromEntries(
      others.map(([name, bytes]) => [decodeName(Buffer.from(name, 'latin1')), shown(bytes)]),
    )
  }
  return details
}

function shown(bytes: Uint8Array): string {
  return bytes.length > LONGEST_SHOWN ? `sha256:${sha256(bytes)}` : Buffer.from(bytes).toString('hex')
}
