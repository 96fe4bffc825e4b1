import type { Permissions } from '../contract/permissions.ts'
import { NotPermittedError } from '../lib/errors.ts'
import { isNormalPath, isWithin } from '../lib/path.ts'

/** Permissions of one run with every wildcard replaced by what matched when the run started. */
export interface Grants {
  list: string[]
  read: string[]
  write: string[]
  attributes: string[]
  net: string[]
  run: [program: string, ...args: string[]][]
}

/** Everything: for a person's own command line and for tests, never for a run. */
export const ALL_GRANTS: Grants = {
  list: ['/'],
  read: ['/'],
  write: ['/'],
  attributes: ['/'],
  net: ['*'],
  run: [],
}

type Access = 'list' | 'read' | 'write' | 'attributes'

const WIDER: Record<Access, Access[]> = {
  list: ['list', 'read', 'write'],
  read: ['read', 'write'],
  write: ['write'],
  attributes: ['attributes', 'write'],
}

/** Whether `grants` cover an access to `path`; what may be read may be listed, what may be written may be read. */
export function covers(grants: Grants, access: Access, path: string): boolean {
  return WIDER[access].some((key) => grants[key].some((granted) => isWithin(granted, path)))
}

/** Throws NotPermittedError unless the access is granted: the same answer that the kernel would give, with a reason. */
export function demand(grants: Grants, access: Access, path: string, verb: string): void {
  if (!isNormalPath(path)) {
    throw new NotPermittedError(`Cannot ${verb} "${path}": it is no absolute path, or one with "." or ".."`)
  }
  if (covers(grants, access, path)) return
  throw new NotPermittedError(`Cannot ${verb} "${path}": the job does not declare it (permissions.${access})`)
}

/** The permissions as grants, with `expand` called for each pattern of read and write. */
export function toGrants(
  permissions: Permissions,
  stateDir: string,
  expand: (pattern: string) => string[],
): Grants {
  const paths = (patterns: string[] = []) => patterns.flatMap(expand)
  return {
    list: paths(permissions.list),
    read: [stateDir, ...paths(permissions.read)],
    write: [stateDir, ...paths(permissions.write)],
    attributes: permissions.attributes ?? [],
    net: permissions.net ?? [],
    run: permissions.run ?? [],
  }
}
