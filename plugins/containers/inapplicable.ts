import type { Inapplicable } from '../../agent/contract/mod.ts'
import { type Config, HARDENING } from './config.ts'
import { CONTAINER_RULES, RUNNING_RULES, SYSTEM_RULES } from './rules.ts'

export interface Presence {
  config: Pick<Config, 'hardening' | 'rootless' | 'dns' | 'scanReports'>
  /** A program, a socket or a process of Docker or Podman is here. */
  isInstalled: boolean
  hasGroup: boolean
  hasSockets: boolean
  /** An engine, or storage of one, that has them or may have. */
  hasContainers: boolean
  hasComposeFiles: boolean
  hasRootlessUsers: boolean
}

/** Pure: rules that have nothing to judge, and why. */
export function inapplicableRules(presence: Presence): Inapplicable[] {
  const { config, isInstalled, hasSockets, hasContainers, hasComposeFiles } = presence
  const reasons = new Map<string, string>()
  const say = (rules: string[], reason: string) => {
    for (const rule of rules) if (!reasons.has(rule)) reasons.set(rule, reason)
  }
  const nothing = isInstalled ? 'no engine has a socket here' : 'neither Docker nor Podman is installed'
  if (!isInstalled) say(Object.keys(SYSTEM_RULES), nothing)
  if (!hasSockets) say(['socket-open'], nothing)
  if (!hasContainers) say(Object.keys(RUNNING_RULES), nothing)
  if (!hasContainers && !hasComposeFiles)
    say(Object.keys(CONTAINER_RULES), `${nothing}, and there is no compose file`)
  if (!presence.hasGroup) say(['engine-group-member'], 'there is no group of the engine')
  if (!presence.hasRootlessUsers) {
    say(['subordinate-ids', 'rootless-helper-missing', 'bind-owner'], 'nobody has a rootless engine')
  }
  if (config.rootless === 'optional') say(['rootful-engine'], 'the job lets engines run as root (rootless)')
  if (config.dns.length === 0) say(['foreign-dns'], 'the job lists no name servers (dns)')
  if (config.scanReports.length === 0)
    say(['scan-overdue'], 'the job lists no reports of scans (scanReports)')
  say(
    HARDENING.filter((rule) => !config.hardening.includes(rule)),
    'the job does not ask for it (hardening)',
  )
  return [...reasons].map(([rule, reason]) => ({ rule, reason }))
}
