import { type CommandContext, isWithin, type Permissions, UserError } from '../../../agent/contract/mod.ts'
import type { TreeContext } from '../baseline/check-tree.ts'
import type { Config, TreeConfig } from '../config.ts'
import { SOURCES } from '../inventory/settings.ts'
import { listedDirectories, readsContents } from '../permissions.ts'
import { UNIT_DIRECTORIES } from '../policy/service-user.ts'

export interface Choice {
  tree: TreeConfig
  /** Only these paths, and what is below them; all of the tree when there are none. */
  paths: string[]
}

/** The trees that are named, or in which what is named lies; all of them when nothing is. */
export function chooseTrees(trees: readonly TreeConfig[], named: readonly string[]): Choice[] {
  if (trees.length === 0) throw new UserError('Cannot do anything: the job has no `trees`')
  if (named.length === 0) return trees.map((tree) => ({ tree, paths: [] }))
  const stray = named.find((path) => !trees.some((tree) => isWithin(tree.path, path)))
  if (stray !== undefined) {
    const known = trees.map(({ path }) => path).join(', ')
    throw new UserError(`Cannot use "${stray}": it lies in no tree of the job, which has ${known}`)
  }
  return trees.flatMap((tree) => {
    const paths = named.filter((path) => isWithin(tree.path, path))
    if (paths.length === 0) return []
    return [{ tree, paths: paths.includes(tree.path) ? [] : paths }]
  })
}

/** Whether a path is among what was chosen. */
export function isChosen({ paths }: Choice, path: string): boolean {
  return paths.length === 0 || paths.some((chosen) => isWithin(chosen, path))
}

export function configOf(context: CommandContext<Config>): Config {
  if (!context.config) throw new UserError('Cannot do it: name a job of permission-drift with --job')
  return context.config
}

/** What it takes to look at the trees. */
export function lookPermissions(config: Config | undefined): Permissions {
  const trees = config?.trees ?? []
  return {
    list: [...listedDirectories([], trees), ...(config?.inventories?.paths ?? [])],
    read: [
      ...trees.filter(readsContents).map(({ path }) => path),
      ...(config?.inventories ? [...SOURCES, ...UNIT_DIRECTORIES] : []),
    ],
    env: ['SUDO_USER'],
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }
}

export function treeContext(context: CommandContext<Config>): TreeContext {
  return { ...context, pause: undefined }
}

/** Who gives the command: the user behind sudo, else the one of this process. */
export function personOf({ host }: CommandContext<Config>): string {
  return process.env.SUDO_USER ?? host.userName(process.getuid?.() ?? 0)
}
