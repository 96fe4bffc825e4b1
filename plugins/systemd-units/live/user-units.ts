import { errnoOf, type HostReader } from '../../../agent/contract/mod.ts'
import type { Running } from '../unit.ts'

/** The kernel's tree of control groups, alone or beside the older ones. */
const HIERARCHIES = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd']
export const LINGER = '/var/lib/systemd/linger'
/** Units stand in slices of slices. */
const MAX_DEPTH = 8
/** In /proc times are counted in these (getconf CLK_TCK: 100 on every Linux that systemd runs on). */
const TICKS_PER_SECOND = 100

/**
 * What runs of the units of a user's own service manager, from the control groups and /proc: the manager itself talks
 * to its user only. Throws when the control groups cannot be read.
 */
export function runningUserUnits(host: HostReader, uid: number): Map<string, Running> | undefined {
  const manager = HIERARCHIES.map((base) => `${base}/user.slice/user-${uid}.slice/user@${uid}.service`).find(
    (path) => host.stat(path)?.type === 'directory',
  )
  if (!manager) return undefined
  const units = new Map<string, Running>()
  const enter = (directory: string, depth: number) => {
    for (const name of host.list(directory)) {
      const path = `${directory}/${name}`
      if (/\.(service|scope)$/.test(name)) units.set(name, runningIn(host, path))
      else if (name.endsWith('.slice') && depth < MAX_DEPTH) enter(path, depth + 1)
    }
  }
  enter(manager, 0)
  return units
}

function runningIn(host: HostReader, group: string): Running {
  const pids = processesBelow(host, group, 0)
  const started = pids.flatMap((pid) => startOf(host, pid) ?? [])
  const startedMs = started.length === 0 ? undefined : Math.min(...started)
  return {
    state: pids.length > 0 ? 'active' : 'inactive',
    mainPid: pids[0] ?? 0,
    startedMs,
    changedMs: startedMs,
  }
}

/** A unit may have groups of its own below: a container, workers. */
function processesBelow(host: HostReader, group: string, depth: number): number[] {
  try {
    const own = host
      .readText(`${group}/cgroup.procs`)
      .split('\n')
      .flatMap((line) => (/^[1-9]\d*$/.test(line) ? [Number(line)] : []))
    if (own.length > 0 || depth >= MAX_DEPTH) return own
    return host.list(group).flatMap((name) => {
      const path = `${group}/${name}`
      return host.stat(path)?.type === 'directory' ? processesBelow(host, path, depth + 1) : []
    })
  } catch (error) {
    // It has ended just now.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return []
    throw error
  }
}

/** When a process was started, UTC milliseconds; undefined when it has ended. */
function startOf(host: HostReader, pid: number): number | undefined {
  try {
    const stat = host.readText(`/proc/${pid}/stat`)
    // After the name, which may hold anything: state is field 3, the start is field 22.
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const boot = Number(/^btime (\d+)$/m.exec(host.readText('/proc/stat'))?.[1])
    const ms = (boot + ticks / TICKS_PER_SECOND) * 1000
    return Number.isFinite(ms) ? ms : undefined
  } catch {
    return undefined
  }
}
