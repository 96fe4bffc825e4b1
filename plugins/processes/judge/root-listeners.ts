import { type Finding, globMatcher } from '../../../agent/contract/mod.ts'
import { listed, type Whereabouts } from '../whereabouts.ts'

/** A process of root with a listening socket. */
export interface RootListener {
  pid: number
  port: number
  program: string | undefined
  place: Whereabouts
}

/** Pure: a finding for each unit or program of root that listens and is not allowed to. */
export function judgeRootListeners(listeners: readonly RootListener[], allowed: string[]): Finding[] {
  const isAllowed = globMatcher(allowed)
  const groups = new Map<string, RootListener[]>()
  for (const one of listeners) {
    if ([one.place.unit, one.program].some((name) => name !== undefined && isAllowed(name))) continue
    groups.set(one.place.title, [...(groups.get(one.place.title) ?? []), one])
  }
  return [...groups].map(([title, group]) => {
    const ports = [...new Set(group.map(({ port }) => port))].toSorted((a, b) => a - b)
    const pids = [...new Set(group.map(({ pid }) => pid))].toSorted((a, b) => a - b)
    const { unit } = group[0]?.place ?? {}
    return {
      rule: 'root-listener',
      subject: title,
      severity: 'warning',
      summary: `${title} listens on TCP port ${listed(ports.map(String), 5)} as root`,
      remedy: unit
        ? `systemctl edit '${unit}'\n# [Service]\n# User=NAME\n# AmbientCapabilities=CAP_NET_BIND_SERVICE (for a port below 1024)\n# or allow it: allowRootListeners`
        : 'Run it as a user of its own, from a unit of systemd',
      evidence: {
        ports: ports.join(', '),
        processes: listed(pids.map(String), 20),
        program: group[0]?.program ?? null,
        unit: unit ?? null,
      },
    }
  })
}
