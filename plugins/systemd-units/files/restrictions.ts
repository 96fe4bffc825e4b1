import { parseBoolean, splitWords } from './parse-unit.ts'

/**
 * What all assignments of RestrictAddressFamilies= come to, as `systemctl show` has it: "AF_INET AF_UNIX" may be used,
 * "~AF_PACKET" may not, "none" may. Undefined: nothing is said, all may. Whether it is a list of what may be used or of
 * what may not is settled by the first; the others add to it or take away. Pure.
 */
export function foldFamilies(values: readonly string[]): string | undefined {
  let list: Set<string> | undefined
  let isExcept = true
  for (const value of values) {
    if (value === '' || value === 'none') {
      list = undefined
      isExcept = value === ''
      continue
    }
    const takesAway = value.startsWith('~')
    if (!list) {
      list = new Set()
      isExcept = takesAway
    }
    for (const family of splitWords(takesAway ? value.slice(1) : value)) {
      if (takesAway === isExcept) list.add(family)
      else list.delete(family)
    }
  }
  if (!list && isExcept) return undefined
  const names = [...(list ?? [])].toSorted().join(' ')
  return isExcept ? `~${names}` : names || 'none'
}

const NAMESPACES = ['cgroup', 'ipc', 'net', 'mnt', 'pid', 'user', 'uts']

/**
 * What all assignments of RestrictNamespaces= come to, as `systemctl show` has it: "yes": none may be made, "no": all,
 * else those that may. Undefined: nothing is said. The first list says what may be made, others add to it; one that
 * begins with "~" takes away. Pure.
 */
export function foldNamespaces(values: readonly string[]): string | undefined {
  let allowed: Set<string> | undefined
  for (const value of values) {
    const word = parseBoolean(value)
    if (value === '') allowed = undefined
    else if (word) allowed = new Set(word === 'yes' ? [] : NAMESPACES)
    else {
      const takesAway = value.startsWith('~')
      const words = splitWords(takesAway ? value.slice(1) : value)
      // One that does not exist: the whole assignment is ignored.
      if (!words.every((name) => NAMESPACES.includes(name))) continue
      allowed ??= new Set(takesAway ? NAMESPACES : [])
      for (const name of words) {
        if (takesAway) allowed.delete(name)
        else allowed.add(name)
      }
    }
  }
  if (!allowed) return undefined
  if (allowed.size === 0) return 'yes'
  return allowed.size === NAMESPACES.length ? 'no' : [...allowed].toSorted().join(' ')
}
