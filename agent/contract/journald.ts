import { type JournalSettings, parseJournald } from '../lib/journald-settings.ts'
import type { HostReader } from './host.ts'

/** In the order of their weight; what is in the first that has a name counts. */
const DIRECTORIES = ['/etc/systemd', '/run/systemd', '/usr/local/lib/systemd', '/usr/lib/systemd']

/** What may say how long the journal of systemd is kept, as permissions. */
export const JOURNALD_FILES = DIRECTORIES.flatMap((directory) => [
  `${directory}/journald.conf`,
  `${directory}/journald.conf.d`,
])

/** The main file of the first directory that has one, then the drop-ins by name. Throws where one cannot be read. */
export function readJournald(host: Pick<HostReader, 'statTarget' | 'list' | 'readText'>): JournalSettings {
  const main = DIRECTORIES.map((directory) => `${directory}/journald.conf`).find((path) =>
    host.statTarget(path),
  )
  const dropIns = new Map<string, string>()
  for (const directory of DIRECTORIES.map((parent) => `${parent}/journald.conf.d`)) {
    if (!host.statTarget(directory)) continue
    for (const name of host.list(directory)) {
      if (name.endsWith('.conf') && !dropIns.has(name)) dropIns.set(name, `${directory}/${name}`)
    }
  }
  const names = [...dropIns.keys()].sort()
  const paths = [main, ...names.map((name) => dropIns.get(name))].filter((path) => path !== undefined)
  return parseJournald(paths.map((path) => host.readText(path, { follow: true })))
}
