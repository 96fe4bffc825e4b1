import { FURTHER_DIRECTIVES, STANDARD_DIRECTIVES } from '../directives.ts'

/** Properties of one unit, by name. */
export type Properties = ReadonlyMap<string, string>

/** Of every loaded unit. */
export const STATE_PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
  'MainPID',
  'NeedDaemonReload',
  'FragmentPath',
  'ActiveEnterTimestamp',
  'ConditionResult',
  'ConditionTimestamp',
  'Unit',
  'Persistent',
  'TimersCalendar',
  'TimersMonotonic',
  'LastTriggerUSec',
  'NextElapseUSecRealtime',
  'NextElapseUSecMonotonic',
  'AccuracyUSec',
  'RandomizedDelayUSec',
]

/** Further ones of the units that the configuration names. */
export const UNIT_PROPERTIES = [
  'Names',
  'LoadError',
  'DropInPaths',
  'ExecMainStartTimestamp',
  'StateChangeTimestamp',
  'CanReload',
  'Transient',
  'User',
  'Group',
  'DynamicUser',
  'EnvironmentFiles',
  'LimitCORE',
  'LimitCORESoft',
  'ReadWritePaths',
  ...STANDARD_DIRECTIVES,
  ...FURTHER_DIRECTIVES,
]

/**
 * Units from the output of `systemctl show`, by their Id. Blocks are parted by an empty line, a property that occurs
 * several times is joined by line ends. Pure; throws on what is no such output.
 */
export function parseShow(text: string): Map<string, Properties> {
  const units = new Map<string, Properties>()
  for (const block of text.split('\n\n')) {
    if (block.trim() === '') continue
    const properties = new Map<string, string>()
    for (const line of block.split('\n')) {
      if (line === '') continue
      const equals = line.indexOf('=')
      if (!/^[A-Z][A-Za-z0-9]*$/.test(line.slice(0, Math.max(0, equals))))
        throw new Error(`Cannot understand the answer of systemctl: "${line.slice(0, 80)}"`)
      const key = line.slice(0, equals)
      const before = properties.get(key)
      const value = line.slice(equals + 1)
      properties.set(key, before === undefined ? value : `${before}\n${value}`)
    }
    const id = properties.get('Id')
    const isWhole = [id, properties.get('LoadState'), properties.get('ActiveState')].every(
      (value) => value !== undefined && value !== '' && !value.includes('\n'),
    )
    if (!id || !isWhole)
      throw new Error('Cannot understand the answer of systemctl: it has a unit without name or state')
    units.set(id, properties)
  }
  return units
}

/** "Sun 2026-11-22 05:00:35 UTC" in UTC milliseconds; undefined for none ("", "n/a"). Pure. */
export function parseTimestamp(text: string | undefined): number | undefined {
  const [, date, time] =
    /^(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC$/.exec(text ?? '') ?? []
  return date === undefined ? undefined : Date.parse(`${date}T${time}Z`)
}

const UNITS_MS: Record<string, number> = {
  y: 31_557_600_000,
  month: 2_629_800_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
}

/** "1d 6h 28min 28.4s" in milliseconds; undefined for "infinity" and what is none. Pure. */
export function parseSpan(text: string | undefined): number | undefined {
  if (!text || text === 'infinity') return undefined
  if (text === '0') return 0
  let total = 0
  for (const word of text.split(' ')) {
    const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(y|month|w|d|h|min|s|ms|us)$/.exec(word) ?? []
    const factor = UNITS_MS[unit]
    if (amount === undefined || factor === undefined) return undefined
    total += Number(amount) * factor
  }
  return total
}
