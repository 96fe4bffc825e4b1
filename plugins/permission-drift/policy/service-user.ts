import { errnoOf, type HostReader } from '../../../agent/contract/mod.ts'

/** Where systemd looks for units, the first goes before (systemd.unit(5)). */
export const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

export interface ServiceAccount {
  user: string
  /** Undefined: the primary group of the user. */
  group: string | undefined
}

type Files = Pick<HostReader, 'stat' | 'list' | 'readText'>

/**
 * User and group that a unit runs as, by its files: systemd need not be running. Undefined when there is no such
 * unit. Throws where they are not known before it starts (DynamicUser).
 */
export function serviceAccount(host: Files, unit: string): ServiceAccount | undefined {
  const texts = unitTexts(host, unit)
  if (texts.length === 0) return undefined
  const settings = parseUnit(texts.join('\n'))
  const instance = /@(.*)\.[a-z]+$/.exec(unit)?.[1] ?? ''
  const value = (key: string) => settings.get(key)?.replaceAll('%i', instance).replaceAll('%I', instance)
  if (/^(yes|true|1|on)$/i.test(value('DynamicUser') ?? '')) {
    throw new Error(`${unit} runs as a user that systemd makes when it starts (DynamicUser)`)
  }
  return { user: value('User') || 'root', group: value('Group') || undefined }
}

/** Pure: the last value of each setting of the sections Service, Socket, Mount and Swap; an empty one resets it. */
export function parseUnit(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let isRead = false
  for (const line of text.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const section = /^\s*\[(.*)\]\s*$/.exec(line)
    if (section) isRead = ['Service', 'Socket', 'Mount', 'Swap'].includes(section[1] ?? '')
    const setting = isRead ? /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) : null
    if (setting) settings.set(setting[1] ?? '', setting[2] ?? '')
  }
  return settings
}

/** The unit's file and its drop-ins, in the order in which they count. */
function unitTexts(host: Files, unit: string): string[] {
  const template = unit.replace(/@.*(\.[a-z]+)$/, '@$1')
  const names = template === unit ? [unit] : [unit, template]
  const fragment = names
    .flatMap((name) => UNIT_DIRECTORIES.map((directory) => `${directory}/${name}`))
    .flatMap((path) => textOf(host, path))
  const [first] = fragment
  if (first === undefined) return []
  const dropIns = new Map<string, string>()
  // A name found first, in the directory that goes before, hides the same name elsewhere.
  for (const name of names.toReversed()) {
    for (const directory of UNIT_DIRECTORIES.toReversed()) {
      const place = `${directory}/${name}.d`
      for (const file of namesIn(host, place))
        if (file.endsWith('.conf')) dropIns.set(file, `${place}/${file}`)
    }
  }
  const ordered = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1))
  return [first, ...ordered.flatMap(([, path]) => textOf(host, path))]
}

function textOf(host: Files, path: string): string[] {
  return unlessMissing(() => [host.readText(path, { follow: true })]) ?? []
}

function namesIn(host: Files, path: string): string[] {
  return unlessMissing(() => host.list(path)) ?? []
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}
