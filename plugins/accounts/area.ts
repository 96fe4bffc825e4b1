import type { Blind, Fact, Finding, HostReader, Inapplicable } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Account, Group, ShadowEntry } from './tables.ts'

/** What one area came to. */
export interface AreaReport {
  findings: Finding[]
  blind?: Blind[]
  inapplicable?: Inapplicable[]
  facts?: Fact[]
  /** Things looked at. */
  examined: number
}

export interface Look {
  host: HostReader
  config: Config
  accounts: Account[]
  groups: Group[]
  /** By name. Throws when shadow cannot be read. */
  shadow(): Map<string, ShadowEntry>
  /** The largest uid of a system account (login.defs). */
  systemUidMax: number
}

/** One thing to look at. What it throws makes its rules blind. */
export interface Area {
  subject: string
  rules: string[]
  check(look: Look): AreaReport
}

/** An area that has nothing to judge. */
export function notHere(rules: readonly string[], reason: string): AreaReport {
  return { findings: [], inapplicable: rules.map((rule) => ({ rule, reason })), examined: 0 }
}

/** Groups of a user, his primary one first. Pure. */
export function groupsOf({ name, gid }: Account, groups: readonly Group[]): string[] {
  const primary = groups.filter((group) => group.gid === gid)
  const others = groups.filter((group) => group.members.includes(name) && !primary.includes(group))
  return [...primary, ...others].map((group) => group.name)
}
