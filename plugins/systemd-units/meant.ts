import { globMatcher, isGlob } from '../../agent/contract/mod.ts'
import type { UnitDemands } from './config.ts'
import { assignmentsOf, type Setting, type Settings, settingsOf } from './files/settings.ts'
import type { UnitTree, WrittenUnit } from './files/unit-tree.ts'
import { type Properties, parseTimestamp, UNIT_PROPERTIES } from './live/show.ts'
import type { Running, Unit } from './unit.ts'

/** Names of the units that an entry of the configuration means. */
export function meantNames(demands: UnitDemands, tree: UnitTree, loaded: Iterable<string>): string[] {
  const { unit, command } = demands
  const known = () => [...new Set([...tree.names(), ...loaded])]
  const named = unit === undefined ? known() : isGlob(unit) ? known().filter(globMatcher([unit])) : [unit]
  if (command === undefined) return named.filter(isConcrete)
  return named.filter(
    (name) =>
      name.endsWith('.service') &&
      isConcrete(name) &&
      assignmentsOf(tree.read(name).directives, 'Service', 'ExecStart').some(({ value }) =>
        value.includes(command),
      ),
  )
}

/** A template is no unit; its instances are. */
function isConcrete(name: string): boolean {
  return !/@\.[a-z]+$/.test(name)
}

/** A unit of the system as its files say it is, and as the manager has it where that could be asked. */
export function systemUnit(name: string, written: WrittenUnit, properties: Properties | undefined): Unit {
  const fromFiles = settingsOf(written.name, written.directives)
  const get = (key: string) => properties?.get(key) ?? ''
  return {
    name: written.state === 'found' ? written.name : name,
    owner: undefined,
    written,
    settings: properties ? inForce(properties, fromFiles) : fromFiles,
    load: properties ? get('LoadState') : loadOf(written),
    loadError: /"(.*)"$/.exec(get('LoadError'))?.[1],
    running: properties && runningOf(properties),
    enablement: get('UnitFileState') || written.enablement,
  }
}

export function ownedUnit(
  name: string,
  written: WrittenUnit,
  owner: { name: string; home: string },
  running: Running | undefined,
): Unit {
  return {
    name,
    owner,
    written,
    settings: settingsOf(written.name, written.directives, { home: owner.home }),
    load: loadOf(written),
    loadError: undefined,
    running,
    enablement: written.enablement,
  }
}

function loadOf({ state }: WrittenUnit): string {
  return { found: 'loaded', masked: 'masked', missing: 'not-found', unreadable: 'unreadable' }[state]
}

function runningOf(properties: Properties): Running {
  const mainPid = Number(properties.get('MainPID') ?? 0)
  const activeMs = parseTimestamp(properties.get('ActiveEnterTimestamp'))
  const startedMs = mainPid > 0 ? parseTimestamp(properties.get('ExecMainStartTimestamp')) : undefined
  return {
    state: properties.get('ActiveState') ?? 'unknown',
    mainPid,
    startedMs: startedMs ?? activeMs,
    changedMs: parseTimestamp(properties.get('StateChangeTimestamp')),
  }
}

/** What the manager goes by; the places are those of the files. */
function inForce(properties: Properties, fromFiles: Settings): Settings {
  const settings = new Map<string, Setting>()
  for (const key of UNIT_PROPERTIES) {
    const value = properties.get(key)
    if (value !== undefined) settings.set(key, { value, place: fromFiles.get(key)?.place })
  }
  const [hard, soft] = [properties.get('LimitCORE') ?? '', properties.get('LimitCORESoft') ?? '']
  const place = fromFiles.get('LimitCORE')?.place
  settings.set('LimitCORE', { value: hard === '0' ? '0' : `${soft}:${hard}`, place })
  const type = fromFiles.get('Type')
  if (type) settings.set('Type', type)
  return settings
}
