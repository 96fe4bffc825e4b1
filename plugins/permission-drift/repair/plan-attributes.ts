import { formatAcl, parseAcl } from '../../../agent/contract/mod.ts'
import type { Deviation } from '../policy/judge.ts'

/** An extended attribute that is set through a handle: hex, or null where there is none. */
export interface AttributeChange {
  name: string
  before: string | null
  after: string | null
}

export const ACL_ATTRIBUTE = 'system.posix_acl_access'
const IDS = { userId: Number, groupId: Number }
const RIGHTS: Record<string, number> = { r: 4, w: 2, x: 1, '-': 0 }

type Entries = Map<string, number>

/**
 * How a list of rights becomes the one that is wanted, and the mode that goes with it. Undefined where that would
 * give anybody a right that he has not got now. `mode` is that of the entry after its own repair.
 */
export function planAcl(
  is: string,
  wanted: string,
  mode: number,
): { change: AttributeChange; mode: number } | undefined {
  if (is === '') return undefined // every entry of a list beside the mode gives something
  const now = parse(is)
  const own = (bits: number, key: string) => bits & (now.get(key) ?? 0)
  // Without a list the group has what the list gave it, not what the mask was.
  const next =
    wanted === ''
      ? new Map([
          ['user::', own((mode >> 6) & 7, 'user::')],
          ['group::', own((mode >> 3) & 7, 'group::')],
          ['other::', own(mode & 7, 'other::')],
        ])
      : parse(wanted)
  for (const [key, rights] of effective(next)) {
    if ((rights & ~(effective(now).get(key) ?? 0)) !== 0) return undefined
  }
  const bits =
    ((next.get('user::') ?? 0) << 6) |
    ((next.get('mask::') ?? next.get('group::') ?? 0) << 3) |
    (next.get('other::') ?? 0)
  const text = [...next].map(([key, rights]) => `${key}${textOf(rights)}`).join(',')
  return {
    change: { name: ACL_ATTRIBUTE, before: toHex(is), after: toHex(text) },
    mode: (mode & 0o7000) | bits,
  }
}

/** A user's attribute that gets its value back; none that the kernel or root's programs read rights from. */
export function planXattr(deviation: Extract<Deviation, { is: string }>): AttributeChange | undefined {
  const { rule, name = '', is, wanted } = deviation
  if (rule !== 'xattr-differs' || !name.startsWith('user.') || !/^(?:[0-9a-f]{2})*$/.test(is))
    return undefined
  return { name, before: is === '' ? null : is, after: wanted }
}

/** Rights by "user::", "user:1000:", "group::", …. */
function parse(text: string): Entries {
  return new Map(
    formatAcl(parseAcl(text, IDS))
      .split(',')
      .map((entry): [string, number] => {
        const end = entry.lastIndexOf(':') + 1
        return [
          entry.slice(0, end),
          [...entry.slice(end)].reduce((sum, letter) => sum | (RIGHTS[letter] ?? 0), 0),
        ]
      }),
  )
}

/** What the entries give: the mask limits all but the owner and the others. */
function effective(entries: Entries): Entries {
  const mask = entries.get('mask::') ?? 7
  return new Map(
    [...entries]
      .filter(([key]) => key !== 'mask::')
      .map(([key, rights]) => [key, key === 'user::' || key === 'other::' ? rights : rights & mask]),
  )
}

function textOf(rights: number): string {
  return `${rights & 4 ? 'r' : '-'}${rights & 2 ? 'w' : '-'}${rights & 1 ? 'x' : '-'}`
}

function toHex(text: string): string {
  return Buffer.from(parseAcl(text, IDS)).toString('hex')
}
