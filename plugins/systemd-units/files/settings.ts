import { type Directive, parseBoolean, splitWords } from './parse-unit.ts'
import { expandSpecifiers } from './unit-name.ts'

/** A value that holds, written as `systemctl show` writes it, with the line that it is from. */
export interface Setting {
  value: string
  place: { path: string; line: number } | undefined
}

/** What holds for a unit, by directive; what nobody has set is missing. */
export type Settings = ReadonlyMap<string, Setting>

/** Directives whose assignments are joined; an empty one forgets those before it. */
const LISTS = new Set([
  'AmbientCapabilities',
  'CapabilityBoundingSet',
  'ReadWritePaths',
  'ReadOnlyPaths',
  'InaccessiblePaths',
  'RestrictAddressFamilies',
  'StateDirectory',
  'SupplementaryGroups',
  'SystemCallFilter',
])
/** An invalid value is ignored, and the one before it stays. */
const WORDS: Record<string, string[]> = {
  ProtectSystem: ['yes', 'no', 'full', 'strict'],
  ProtectHome: ['yes', 'no', 'read-only', 'tmpfs'],
  PrivateTmp: ['yes', 'no', 'disconnected'],
  ProtectControlGroups: ['yes', 'no', 'private', 'strict'],
}
const BOOLEANS = new Set([
  'DynamicUser',
  'LockPersonality',
  'MemoryDenyWriteExecute',
  'NoNewPrivileges',
  'Persistent',
  'PrivateDevices',
  'PrivateIPC',
  'PrivateMounts',
  'PrivateNetwork',
  'PrivateUsers',
  'ProtectClock',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectKernelModules',
  'ProtectKernelTunables',
  'RemoveIPC',
  'RestrictRealtime',
  'RestrictSUIDSGID',
])

/** Pure: what the files of a unit come to, as systemd reads them. */
export function settingsOf(
  name: string,
  directives: readonly Directive[],
  manager: 'system' | { home: string } = 'system',
): Settings {
  const settings = new Map<string, Setting>()
  for (const { section, key, value: written, path, line } of directives) {
    if (section !== 'Service') continue
    const value = expandSpecifiers(written, name, manager)
    const place = { path, line }
    if (key === 'RestrictNamespaces')
      settings.set(key, { value: namespaces(settings.get(key)?.value, value), place })
    else if (key === 'RestrictAddressFamilies')
      settings.set(key, { value: families(settings.get(key)?.value, value), place })
    else if (LISTS.has(key)) {
      const before = value === '' ? '' : (settings.get(key)?.value ?? '')
      settings.set(key, { value: [before, ...splitWords(value)].filter(Boolean).join(' '), place })
    } else if (BOOLEANS.has(key) || WORDS[key]) {
      const word = parseBoolean(value) ?? value
      if ((WORDS[key] ?? ['yes', 'no']).includes(word)) settings.set(key, { value: word, place })
    } else settings.set(key, { value, place })
  }
  return withDynamicUser(settings)
}

/** Lines of a directive that holds several, such as ExecReload; an empty one forgets those before it. Pure. */
export function assignmentsOf(directives: readonly Directive[], section: string, key: string): Directive[] {
  let kept: Directive[] = []
  for (const directive of directives) {
    if (directive.section !== section || directive.key !== key) continue
    kept = directive.value === '' ? [] : [...kept, directive]
  }
  return kept
}

/** A user that is made for the service brings these along (systemd.exec(5)). */
function withDynamicUser(settings: Map<string, Setting>): Settings {
  const dynamic = settings.get('DynamicUser')
  if (dynamic?.value !== 'yes') return settings
  const { place } = dynamic
  for (const key of ['PrivateTmp', 'RemoveIPC', 'NoNewPrivileges', 'RestrictSUIDSGID'])
    settings.set(key, { value: 'yes', place })
  settings.set('ProtectSystem', { value: 'strict', place })
  if ((settings.get('ProtectHome')?.value ?? 'no') === 'no')
    settings.set('ProtectHome', { value: 'read-only', place })
  return settings
}

/** "~AF_X AF_Y": all but these. "none": none. As `systemctl show`: "AF_INET AF_UNIX", "~AF_PACKET", "~" for all. */
function families(before: string | undefined, value: string): string {
  if (value === '') return '~'
  if (value === 'none') return 'none'
  const isExcept = value.startsWith('~')
  const words = splitWords(isExcept ? value.slice(1) : value)
  const known = before === undefined || before === '~' ? undefined : before
  const exceptList = known === undefined ? isExcept : known.startsWith('~')
  const list = new Set(known === undefined || known === 'none' ? [] : splitWords(known.replace(/^~/, '')))
  for (const word of words) {
    if (isExcept === exceptList) list.add(word)
    else list.delete(word)
  }
  const names = [...list].toSorted().join(' ')
  return exceptList ? `~${names}` : names || 'none'
}

const NAMESPACES = ['cgroup', 'ipc', 'net', 'mnt', 'pid', 'user', 'uts']

/** "yes": none may be made. Else those that may, or "no" for all. As `systemctl show`. */
function namespaces(before: string | undefined, value: string): string {
  const word = parseBoolean(value)
  if (word) return word
  if (value === '') return 'no'
  const isExcept = value.startsWith('~')
  const words = splitWords(isExcept ? value.slice(1) : value)
  const known = before === undefined || before === 'no' ? undefined : before
  const allowed = new Set(
    known === undefined ? (isExcept ? NAMESPACES : []) : known === 'yes' ? [] : splitWords(known),
  )
  for (const name of words) {
    if (isExcept) allowed.delete(name)
    else allowed.add(name)
  }
  return allowed.size === 0
    ? 'yes'
    : NAMESPACES.every((name) => allowed.has(name))
      ? 'no'
      : [...allowed].join(' ')
}
