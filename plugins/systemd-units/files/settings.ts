import { type Directive, parseBoolean, splitWords } from './parse-unit.ts'
import { foldFamilies, foldNamespaces } from './restrictions.ts'
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
  'StateDirectory',
  'SupplementaryGroups',
  'SystemCallFilter',
])
const FOLDED: Record<string, (values: string[]) => string | undefined> = {
  RestrictAddressFamilies: foldFamilies,
  RestrictNamespaces: foldNamespaces,
}
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
  /** All assignments of what is not to be told from the one before. */
  const folded = new Map<string, string[]>()
  for (const { section, key, value: written, path, line } of directives) {
    if (section !== 'Service') continue
    const value = expandSpecifiers(written, name, manager)
    const place = { path, line }
    if (FOLDED[key]) {
      const values = [...(folded.get(key) ?? []), value]
      folded.set(key, values)
      const result = FOLDED[key](values)
      if (result === undefined) settings.delete(key)
      else settings.set(key, { value: result, place })
    } else if (LISTS.has(key)) {
      const before = value === '' ? '' : (settings.get(key)?.value ?? '')
      settings.set(key, { value: [before, ...splitWords(value)].filter(Boolean).join(' '), place })
    } else if (BOOLEANS.has(key) || WORDS[key]) {
      const word = parseBoolean(value) ?? value
      if ((WORDS[key] ?? ['yes', 'no']).includes(word)) settings.set(key, { value: word, place })
    } else if (key === 'UMask') settings.set(key, { value: value.padStart(4, '0'), place })
    else settings.set(key, { value, place })
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
