import { type FileType, globMatcher } from '../../../agent/contract/mod.ts'
import type { Change } from '../change.ts'
import { combineRules, type Rule } from './judge.ts'

export type Governs = (path: string, type: FileType, attribute: 'mode' | 'owner' | 'group') => boolean

/**
 * Tells whether the baseline says what an attribute has to be. Where a rule of the policy speaks of it, the rule
 * does: else a repair by the one would be drift for the other.
 */
export function baselineGoverns(rules: Rule[]): Governs {
  const matchers = rules.map((rule) => {
    const [isMatch, isException] = [globMatcher([rule.path]), globMatcher(rule.except)]
    return (path: string) => isMatch(path) && !isException(path)
  })
  return (path, type, attribute) => {
    const matching = rules.filter((_, index) => matchers[index]?.(path))
    if (matching.length === 0) return true
    const wanted = combineRules(matching, type)
    const spokenOf = { mode: wanted.mode, owner: wanted.uids, group: wanted.gids }
    return spokenOf[attribute] === undefined
  }
}

/** A change without what the policy answers for; undefined when nothing is left of it. */
export function withoutGoverned(change: Change, governs: Governs): Change | undefined {
  if (change.kind !== 'changed') return change
  const { path, type } = change.after
  const attributes = change.attributes.filter(
    (attribute) =>
      !(attribute === 'mode' || attribute === 'owner' || attribute === 'group') ||
      governs(path, type, attribute),
  )
  return attributes.length > 0 ? { ...change, attributes } : undefined
}
