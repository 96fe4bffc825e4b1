import { PERMISSION_KEYS, type Permissions } from '../contract/permissions.ts'
import { expandBraces } from '../lib/glob.ts'
import { isNormalPath, isWithin } from '../lib/path.ts'

/**
 * What `asked` has that `granted` does not cover, as "read /etc/shadow". A granted directory covers what
 * is below it; everything else must be granted as it is asked for. Pure.
 */
export function ungranted(asked: Permissions, granted: Permissions): string[] {
  return PERMISSION_KEYS.flatMap((key) => {
    const has = (granted[key] ?? []) as (string | string[])[]
    return ((asked[key] ?? []) as (string | string[])[])
      .filter((wanted) => !has.some((given) => coversOne(key, given, wanted)))
      .map((wanted) => `${key} ${Array.isArray(wanted) ? wanted.join(' ') : wanted}`)
  })
}

function coversOne(
  key: (typeof PERMISSION_KEYS)[number],
  given: string | string[],
  wanted: string | string[],
): boolean {
  if (Array.isArray(given) || Array.isArray(wanted)) return JSON.stringify(given) === JSON.stringify(wanted)
  if (given === wanted) return true
  const isPath = ['list', 'read', 'write', 'attributes'].includes(key)
  // "/srv/{..,a}" says its ".." only when it is expanded.
  return isPath && expandBraces(wanted).every((path) => isNormalPath(path) && isWithin(given, path))
}
