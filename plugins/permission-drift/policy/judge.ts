import {
  type AclNames,
  type Detail,
  describeError,
  type Entry,
  type EntryDetails,
  type FileFlag,
  type FileType,
  formatAcl,
  formatCapabilities,
  type HostReader,
  isGlob,
  parseAcl,
  parseCapabilities,
  type Severity,
} from '../../../agent/contract/mod.ts'
import { type ModeRule, type RuleConfig, SERVICE_OF } from './rule-config.ts'
import { serviceAccount } from './service-user.ts'

/** What rules want of an entry; undefined where they do not speak of it. */
export interface Wanted {
  types: FileType[] | undefined
  uids: number[] | undefined
  gids: number[] | undefined
  mode: ModeRule | undefined
  setuid: boolean | undefined
  setgid: boolean | undefined
  /** In the form of EntryDetails; empty for none. */
  acl: string | undefined
  capabilities: string | undefined
  /** Hex of the values. */
  xattrs: Record<string, string> | undefined
  immutable: boolean | undefined
  target: string | undefined
  sha256: string | undefined
  severity: Severity | undefined
}

/** A rule with names resolved to the ids of this host. */
export interface Rule extends Omit<Wanted, 'mode'> {
  path: string
  /** Paths and patterns that it does not speak of. */
  except: string[]
  isPattern: boolean
  mode: ModeRule | undefined
  directoryMode: ModeRule | undefined
  /** `missing` or `noMatch`, as far as the rule says it. */
  absent: 'ok' | 'finding' | undefined
  /** Why something cannot be judged: names that are not known here. */
  unknown: string[]
}

export type Deviation =
  | { rule: 'type-differs'; wanted: FileType[] }
  | { rule: 'owner-differs'; wanted: number[] }
  | { rule: 'group-differs'; wanted: number[] }
  | { rule: 'mode-differs'; wanted: ModeRule; surplus: number; lacking: number }
  | { rule: 'set-id-differs'; bit: 'setuid' | 'setgid'; wanted: boolean }
  | {
      rule:
        | 'acl-differs'
        | 'capabilities-differ'
        | 'xattr-differs'
        | 'flags-differ'
        | 'target-differs'
        | 'content-differs'
      /** Of which extended attribute. */
      name?: string
      is: string
      wanted: string
    }

type Names = Pick<HostReader, 'userId' | 'groupId' | 'stat' | 'list' | 'readText'>

/** The rules with names as ids. Of a list of names, those that this host does not know are left out. */
export function resolveRules(rules: RuleConfig[], host: Names): Rule[] {
  return rules.map((rule) => resolveRule(rule, host))
}

function resolveRule(rule: RuleConfig, host: Names): Rule {
  const unknown: string[] = []
  const resolve = (kind: 'user' | 'group', names: string[] | undefined) => {
    const before = unknown.length
    const known = names?.map((name) => idOf(kind, name, host, unknown)).filter((id) => id !== undefined)
    if (known === undefined || known.length > 0) return known
    if (unknown.length === before) unknown.push(`there is no ${kind} "${names?.join('" or "')}" on this host`)
    return undefined
  }
  const parsed = (text: string | undefined, parse: (text: string) => string): string | undefined => {
    if (text === undefined || text === 'none') return text && ''
    try {
      return parse(text)
    } catch (error) {
      unknown.push(describeError(error))
      return undefined
    }
  }
  const uids = resolve('user', rule.owner)
  const gids = resolve('group', rule.group)
  return {
    path: rule.path,
    except: rule.except,
    isPattern: isGlob(rule.path),
    types: rule.type ?? (rule.target === undefined ? undefined : ['symlink']),
    uids,
    gids,
    mode: rule.mode,
    directoryMode: rule.directoryMode,
    setuid: rule.setuid,
    setgid: rule.setgid,
    acl: parsed(rule.acl, (text) => formatAcl(parseAcl(text, host as AclNames))),
    capabilities: parsed(rule.capabilities, (text) => formatCapabilities(parseCapabilities(text))),
    xattrs:
      rule.xattrs &&
      Object.fromEntries(
        Object.entries(rule.xattrs).map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
      ),
    immutable: rule.immutable,
    target: rule.target,
    sha256: rule.sha256,
    absent: isGlob(rule.path) ? rule.noMatch : rule.missing,
    severity: rule.severity,
    unknown,
  }
}

function idOf(kind: 'user' | 'group', name: string, host: Names, unknown: string[]): number | undefined {
  const direct = (text: string) => (kind === 'user' ? host.userId(text) : host.groupId(text))
  if (!name.startsWith(SERVICE_OF)) return direct(name)
  const unit = name.slice(SERVICE_OF.length)
  try {
    const account = serviceAccount(host, unit)
    if (!account) {
      unknown.push(`there is no unit "${unit}" on this host`)
      return undefined
    }
    if (kind === 'user') return host.userId(account.user)
    if (account.group !== undefined) return host.groupId(account.group)
    const line = host
      .readText('/etc/passwd')
      .split('\n')
      .find((each) => each.startsWith(`${account.user}:`))
    const gid = line?.split(':')[3]
    return gid === undefined ? undefined : Number(gid)
  } catch (error) {
    unknown.push(describeError(error))
    return undefined
  }
}

const NOTHING: Wanted = {
  types: undefined,
  uids: undefined,
  gids: undefined,
  mode: undefined,
  setuid: undefined,
  setgid: undefined,
  acl: undefined,
  capabilities: undefined,
  xattrs: undefined,
  immutable: undefined,
  target: undefined,
  sha256: undefined,
  severity: undefined,
}

/** What rules want of an entry of a type, in their order: a later rule goes before in all that it says. */
export function combineRules(rules: Rule[], type: FileType): Wanted {
  const wanted: Wanted = { ...NOTHING }
  let isNamed = false
  for (const rule of rules) {
    isNamed ||= !rule.isPattern
    wanted.types = rule.types ?? wanted.types
    wanted.uids = rule.uids ?? wanted.uids
    wanted.gids = rule.gids ?? wanted.gids
    wanted.mode = modeFor(rule, type) ?? wanted.mode
    wanted.setuid = rule.setuid ?? wanted.setuid
    wanted.setgid = rule.setgid ?? wanted.setgid
    wanted.acl = rule.acl ?? wanted.acl
    wanted.capabilities = rule.capabilities ?? wanted.capabilities
    wanted.xattrs = rule.xattrs ? { ...wanted.xattrs, ...rule.xattrs } : wanted.xattrs
    wanted.immutable = rule.immutable ?? wanted.immutable
    wanted.target = rule.target ?? wanted.target
    wanted.sha256 = rule.sha256 ?? wanted.sha256
    wanted.severity = rule.severity ?? wanted.severity
  }
  if (type !== 'symlink') return wanted
  // A link has no mode. Where a rule names the very path, it wants what is there, not what a link leads to.
  const speaksOfTarget =
    isNamed && !wanted.types && rules.some((rule) => rule.mode || rule.directoryMode || rule.sha256)
  return {
    ...wanted,
    mode: undefined,
    acl: undefined,
    capabilities: undefined,
    types: speaksOfTarget ? ['file', 'directory'] : wanted.types,
  }
}

/** A pattern's `mode` is not for directories: "0600" for all below a directory must not shut those in it. */
function modeFor(rule: Rule, type: FileType): ModeRule | undefined {
  if (type !== 'directory') return rule.mode
  const isForDirectories = !rule.isPattern || rule.types?.includes('directory')
  return rule.directoryMode ?? (isForDirectories ? rule.mode : undefined)
}

/** What has to be read beside a stat to judge an entry; `flags` come with every full look. */
export function detailsWanted(wanted: Wanted, type: FileType): { details: Detail[]; needsLook: boolean } {
  const details: Detail[] = []
  if (wanted.acl !== undefined) details.push('acl')
  if (wanted.capabilities !== undefined && type === 'file') details.push('capabilities')
  if (wanted.xattrs !== undefined) details.push('xattrs')
  if (wanted.target !== undefined && type === 'symlink') details.push('target')
  if (wanted.sha256 !== undefined && type === 'file') details.push('sha256')
  return { details, needsLook: details.length > 0 || wanted.immutable !== undefined }
}

export type Judged = Pick<Entry, 'type' | 'mode' | 'uid' | 'gid'> & EntryDetails & { flags?: FileFlag[] }

/** In what an entry differs from what is wanted of it. Of another type, it is not judged any further. */
export function judge(entry: Judged, wanted: Wanted): Deviation[] {
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
    const surplus = kind === 'at-least' ? 0 : entry.mode & ~bits
    const lacking = kind === 'at-most' ? 0 : bits & ~entry.mode
    if (surplus !== 0 || lacking !== 0) {
      deviations.push({ rule: 'mode-differs', wanted: wanted.mode, surplus, lacking })
    }
  }
  for (const [bit, mask] of [
    ['setuid', 0o4000],
    ['setgid', 0o2000],
  ] as const) {
    const is = (entry.mode & mask) !== 0
    if (wanted[bit] !== undefined && wanted[bit] !== is) {
      deviations.push({ rule: 'set-id-differs', bit, wanted: wanted[bit] })
    }
  }
  return [...deviations, ...judgeDetails(entry, wanted)]
}

function judgeDetails(entry: Judged, wanted: Wanted): Deviation[] {
  const deviations: Deviation[] = []
  const compare = (
    rule: Extract<Deviation, { is: string }>['rule'],
    is: string | undefined,
    should: string | undefined,
    name?: string,
  ) => {
    if (is === undefined || should === undefined || is === should) return
    deviations.push({ rule, is, wanted: should, ...(name !== undefined && { name }) })
  }
  compare('acl-differs', entry.acl, wanted.acl)
  compare('capabilities-differ', entry.capabilities, wanted.capabilities)
  compare('target-differs', entry.target, wanted.target)
  compare('content-differs', entry.sha256, wanted.sha256)
  for (const [name, value] of Object.entries(wanted.xattrs ?? {})) {
    compare('xattr-differs', entry.xattrs && (entry.xattrs[name] ?? ''), value, name)
  }
  if (wanted.immutable !== undefined && entry.flags) {
    const is = entry.flags.includes('immutable')
    compare('flags-differ', is ? 'immutable' : '', wanted.immutable ? 'immutable' : '')
  }
  return deviations
}
