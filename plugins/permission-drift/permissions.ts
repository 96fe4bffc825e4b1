import { expandBraces, globBase, isGlob, isWithin, type Permissions } from '../../agent/contract/mod.ts'
import { causePrograms, evidencePaths, readsForCauses } from './cause/sources.ts'
import { type Config, policyOf, type TreeConfig } from './config.ts'
import { SOURCES } from './inventory/settings.ts'
import { PRESSURE } from './pace.ts'
import { type RuleConfig, SERVICE_OF } from './policy/rule-config.ts'
import { UNIT_DIRECTORIES } from './policy/service-user.ts'

/** Pure: what a job of this configuration may touch. Contents are read only where they or causes are looked for. */
export function permissions(config: Config): { check: Permissions; apply: Permissions } {
  const rules = policyOf(config)
  const list = outermost([...listedDirectories(rules, config.trees), ...(config.inventories?.paths ?? [])])
  const repaired = [
    ...rules.flatMap((rule) => expandBraces(rule.path).map(globBase)),
    ...config.trees.filter((tree) => tree.repair).map((tree) => tree.path),
  ]
  const asksUnits = rules.some(({ owner, group }) =>
    [...(owner ?? []), ...(group ?? [])].some((name) => name.startsWith(SERVICE_OF)),
  )
  const read = outermost([
    PRESSURE,
    ...config.trees.filter(readsContents).map(({ path }) => path),
    ...rules.filter(({ sha256 }) => sha256).flatMap(({ path }) => expandBraces(path).map(globBase)),
    ...(asksUnits ? [...UNIT_DIRECTORIES, '/etc/passwd'] : []),
    ...(config.inventories ? [...SOURCES, ...UNIT_DIRECTORIES] : []),
  ])
  const forCauses = readsForCauses(config) ? config.trees.map(({ path }) => path) : []
  const looked = outermost([...read, ...forCauses, ...evidencePaths(config)])
  const programs = causePrograms(config)
  return {
    check: {
      // What may be read may be listed.
      list: list.filter((path) => !looked.some((readable) => isWithin(readable, path))),
      read: looked,
      ...(programs.length > 0 && { run: programs }),
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
    apply: {
      list,
      read,
      attributes: outermost(repaired),
      // Without CAP_FSETID the kernel drops setgid of what belongs to a group that this process is not in.
      capabilities: ['CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_CHOWN', 'CAP_FSETID'],
    },
  }
}

export const readsContents = (tree: TreeConfig): boolean => tree.attributes.includes('content')

/** The directories whose names are read: trees, and where patterns begin. A plain path needs none. */
export function listedDirectories(rules: RuleConfig[], trees: TreeConfig[]): string[] {
  const patterns = rules.flatMap((rule) => expandBraces(rule.path)).filter(isGlob)
  return outermost([...patterns.map(globBase), ...trees.map((tree) => tree.path)])
}

/** Without those that lie within another. */
function outermost(paths: string[]): string[] {
  const unique = [...new Set(paths)].sort()
  return unique.filter((path) => !unique.some((other) => other !== path && isWithin(other, path)))
}
