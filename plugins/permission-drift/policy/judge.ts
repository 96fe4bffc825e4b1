import type { Entry, FileType, HostReader, Severity } from '../../../agent/contract/mod.ts'
import { isGlob } from '../../../agent/contract/mod.ts'
import type { ModeRule, RuleConfig } from '../config.ts'

/** A rule with names resolved to the ids of this host. */
export interface Rule {
  path: string
  isPattern: boolean
  types: FileType[] | undefined
  uids: number[] | undefined
  gids: number[] | undefined
  mode: ModeRule | undefined
  directoryMode: ModeRule | undefined
  /** `missing` or `noMatch`, as far as the rule says it. */
  absent: 'ok' | 'finding' | undefined
  severity: Severity | undefined
  /** Why owner or group cannot be judged: names that are not known here. */
  unknown: string[]
}

/** What the rules that match an entry, taken together, want of it. */
export interface Wanted {
  types: FileType[] | undefined
  uids: number[] | undefined
  gids: number[] | undefined
  mode: ModeRule | undefined
  severity: Severity | undefined
}

export type Deviation =
  | { rule: 'type-differs'; wanted: FileType[] }
  | { rule: 'owner-differs'; wanted: number[] }
  | { rule: 'group-differs'; wanted: number[] }
  | { rule: 'mode-differs'; wanted: ModeRule; surplus: number; lacking: number }

/** The rules with names as ids. Of a list of names, those that this host does not know are left out. */
export function resolveRules(rules: RuleConfig[], host: Pick<HostReader, 'userId' | 'groupId'>): Rule[] {
  return rules.map((rule) => {
    const unknown: string[] = []
    const resolve = (
      kind: string,
      names: string[] | undefined,
      idOf: (name: string) => number | undefined,
    ) => {
      const known = names?.map(idOf).filter((id) => id !== undefined)
      if (known === undefined || known.length > 0) return known
      unknown.push(`there is no ${kind} "${names?.join('" or "')}" on this host`)
      return undefined
    }
    return {
      path: rule.path,
      isPattern: isGlob(rule.path),
      types: rule.type,
      uids: resolve('user', rule.owner, (name) => host.userId(name)),
      gids: resolve('group', rule.group, (name) => host.groupId(name)),
      mode: rule.mode,
      directoryMode: rule.directoryMode,
      absent: rule.missing ?? rule.noMatch,
      severity: rule.severity,
      unknown,
    }
  })
}

/** What rules want of an entry of a type, in their order: a later rule goes before in all that it says. */
export function combineRules(rules: Rule[], type: FileType): Wanted {
  const wanted: Wanted = {
    types: undefined,
    uids: undefined,
    gids: undefined,
    mode: undefined,
    severity: undefined,
  }
  let isNamed = false
  for (const rule of rules) {
    isNamed ||= !rule.isPattern
    wanted.types = rule.types ?? wanted.types
    wanted.uids = rule.uids ?? wanted.uids
    wanted.gids = rule.gids ?? wanted.gids
    wanted.mode = modeFor(rule, type) ?? wanted.mode
    wanted.severity = rule.severity ?? wanted.severity
  }
  if (type !== 'symlink') return wanted
  // A link has no mode. Where a rule names the very path, it wants what is there, not what a link leads to.
  const speaksOfTarget = isNamed && !wanted.types && rules.some((rule) => rule.mode || rule.directoryMode)
  return { ...wanted, mode: undefined, types: speaksOfTarget ? ['file', 'directory'] : wanted.types }
}

/** A pattern's `mode` is not for directories: "0600" for all below a directory must not shut those in it. */
function modeFor(rule: Rule, type: FileType): ModeRule | undefined {
  if (type !== 'directory') return rule.mode
  const isForDirectories = !rule.isPattern || rule.types?.includes('directory')
  return rule.directoryMode ?? (isForDirectories ? rule.mode : undefined)
}

/** In what an entry differs from what is wanted of it. Of another type, it is not judged any further. */
export function judge(entry: Pick<Entry, 'type' | 'mode' | 'uid' | 'gid'>, wanted: Wanted): Deviation[] {
  if (wanted.types && !wanted.types.includes(entry.type)) {
    return [{ rule: 'type-differs', wanted: wanted.types }]
  }
  const deviations: Deviation[] = []
  if (wanted.uids && !wanted.uids.includes(entry.uid)) {
    deviations.push({ rule: 'owner-differs', wanted: wanted.uids })
  }
  if (wanted.gids && !wanted.gids.includes(entry.gid)) {
    deviations.push({ rule: 'group-differs', wanted: wanted.gids })
  }
  if (wanted.mode) {
    const { kind, bits } = wanted.mode
    const surplus = entry.mode & ~bits
    const lacking = kind === 'exact' ? bits & ~entry.mode : 0
    if (surplus !== 0 || lacking !== 0) {
      deviations.push({ rule: 'mode-differs', wanted: wanted.mode, surplus, lacking })
    }
  }
  return deviations
}
