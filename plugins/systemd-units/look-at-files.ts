import {
  type Blind,
  describeError,
  type FileStat,
  type HostReader,
  isGlob,
} from '../../agent/contract/mod.ts'
import type { UnitDemands } from './config.ts'
import { splitWords } from './files/parse-unit.ts'
import { assignmentsOf } from './files/settings.ts'
import { expandSpecifiers } from './files/unit-name.ts'
import { titleOf, type Unit } from './unit.ts'

/** More than these are not looked at for one unit. */
const MAX_FILES = 1000

/**
 * What a unit reads when it is started: its own files, environment files, credentials, and those that the configuration
 * names. Links are followed: of a renewed certificate only the link changes.
 */
export function filesOf(
  host: HostReader,
  unit: Unit,
  { files }: Pick<UnitDemands, 'files'>,
  blind: Blind[],
): Map<string, FileStat> {
  const rules = ['change-not-loaded']
  const { path, dropIns } = unit.written
  const own = [...(path ? [path] : []), ...dropIns]
  const named = files.flatMap((pattern) =>
    isGlob(pattern)
      ? host
          .glob(pattern, (subject, reason) => blind.push({ subject, reason, rules }))
          .flatMap((entry) => (entry.type === 'directory' ? [] : [entry.path]))
      : [pattern],
  )
  const paths = [...new Set([...own, ...loadedFiles(unit), ...named])]
  if (paths.length > MAX_FILES)
    blind.push({ subject: titleOf(unit), reason: `it reads more than ${MAX_FILES} files`, rules })
  const found = new Map<string, FileStat>()
  for (const one of paths.slice(0, MAX_FILES)) {
    try {
      const stat = host.statTarget(one)
      if (stat) found.set(one, stat)
    } catch (error) {
      blind.push({ subject: one, reason: describeError(error), rules })
    }
  }
  return found
}

/** Pure: files of EnvironmentFile= and LoadCredential=. */
function loadedFiles({ name, owner, written }: Unit): string[] {
  const manager = owner ? { home: owner.home } : 'system'
  const { directives } = written
  const environment = assignmentsOf(directives, 'Service', 'EnvironmentFile').map(({ value }) =>
    value.replace(/^-/, ''),
  )
  const credentials = ['LoadCredential', 'LoadCredentialEncrypted'].flatMap((key) =>
    assignmentsOf(directives, 'Service', key).flatMap(({ value }) =>
      splitWords(value).map((word) => word.slice(word.indexOf(':') + 1)),
    ),
  )
  return [...environment, ...credentials]
    .map((path) => expandSpecifiers(path, name, manager))
    .filter((path) => path.startsWith('/') && !isGlob(path))
}
