/** Parts of "prefix@instance.service". */
export interface UnitName {
  prefix: string
  /** Undefined: no template and none of its instances; empty: a template. */
  instance: string | undefined
  type: string
}

const NAME =
  /^([^@/]+)(?:@([^/]*))?\.(service|socket|timer|mount|automount|swap|target|path|slice|scope|device)$/

/** Undefined for what is no name of a unit. Pure. */
export function parseUnitName(name: string): UnitName | undefined {
  const [, prefix, instance, type] = NAME.exec(name) ?? []
  return prefix !== undefined && type !== undefined ? { prefix, instance, type } : undefined
}

/** The template of an instance; undefined for others. Pure. */
export function templateOf(name: string): string | undefined {
  const parts = parseUnitName(name)
  return parts?.instance ? `${parts.prefix}@.${parts.type}` : undefined
}

/**
 * Names whose directory NAME.d has drop-ins for a unit, the most specific first: its own, its template's, those of
 * the prefixes that end in "-", that of its type. Pure.
 */
export function dropInNames(name: string): string[] {
  const parts = parseUnitName(name)
  if (!parts) return [name]
  const { prefix, instance, type } = parts
  const forms = (stem: string) =>
    instance === undefined
      ? [`${stem}.${type}`]
      : instance === ''
        ? [`${stem}@.${type}`]
        : [`${stem}@${instance}.${type}`, `${stem}@.${type}`]
  const names = forms(prefix)
  const dashes = [...prefix.slice(0, -1).matchAll(/-/g)].map(({ index }) => index + 1).toReversed()
  for (const end of dashes) names.push(...forms(prefix.slice(0, end)))
  return [...new Set([...names, type])]
}

/** What stands for %-specifiers (systemd.unit(5)) of a unit that need nothing of the running system. Pure. */
export function expandSpecifiers(value: string, name: string, manager: 'system' | { home: string }): string {
  const parts = parseUnitName(name)
  const prefix = parts?.prefix ?? name
  const instance = parts?.instance ?? ''
  const known: Record<string, string> = {
    n: name,
    N: name.replace(/\.[a-z]+$/, ''),
    p: prefix,
    P: unescapeName(prefix),
    j: prefix.slice(prefix.lastIndexOf('-') + 1),
    i: instance,
    I: unescapeName(instance),
    f: `/${unescapeName(instance === '' ? prefix : instance)}`,
    h: manager === 'system' ? '/root' : manager.home,
    t: manager === 'system' ? '/run' : '%t',
    S: manager === 'system' ? '/var/lib' : `${manager.home}/.local/state`,
    C: manager === 'system' ? '/var/cache' : `${manager.home}/.cache`,
    L: manager === 'system' ? '/var/log' : `${manager.home}/.local/state/log`,
    E: manager === 'system' ? '/etc' : `${manager.home}/.config`,
    T: '/tmp',
    V: '/var/tmp',
    '%': '%',
  }
  return value.replace(/%(.)/g, (text, letter: string) => known[letter] ?? text)
}

/** systemd-escape(1) backwards. */
function unescapeName(name: string): string {
  return name
    .replace(/-/g, '/')
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
