import { isGlob, type WatchPlan } from '../../../agent/contract/mod.ts'
import { type Config, policyOf } from '../config.ts'

/** Pure: the policy's paths, and the trees with all below them. What every tree leaves out is left out here. */
export function watchPlan(config: Config): WatchPlan {
  const { trees } = config
  const rules = policyOf(config)
  const inTrees = trees.flatMap(({ path }) => [path, path === '/' ? '/**' : `${path}/**`])
  const paths = [...new Set([...rules.map(({ path }) => path), ...inTrees])]
  // A rule may want to know of what a tree leaves out, and so may another tree.
  const exclude = trees.length === 1 && rules.length === 0 ? (trees[0]?.exclude ?? []) : []
  return {
    paths,
    exclude: exclude.flatMap((pattern) => (isGlob(pattern) ? [pattern] : [pattern, `${pattern}/**`])),
  }
}
