import type { HostReader } from '../../agent/contract/mod.ts'

export const CONTROL_GROUPS = '/sys/fs/cgroup'
/** A control group with more is no service: whose socket it is cannot be told from it. */
const MAX_PROCESSES = 64
const MAX_NAMES = 3

/**
 * Names of the processes of a control group, those of the user of the socket before others. Which of them has the
 * socket the kernel tells nobody in a jail; for the unit of one service it is clear enough. Empty when it is not.
 */
export function processNames(host: HostReader, controlGroup: string | undefined, uid: number): string[] {
  if (controlGroup === undefined || controlGroup === '/' || controlGroup.startsWith('#')) return []
  try {
    const pids = host.readText(`${CONTROL_GROUPS}${controlGroup}/cgroup.procs`).split('\n').filter(Boolean)
    if (pids.length > MAX_PROCESSES) return []
    const processes = pids.flatMap((pid) => processOf(host, pid) ?? [])
    const own = processes.filter((process) => process.uid === uid)
    return [...new Set((own.length > 0 ? own : processes).map(({ name }) => name))]
      .toSorted()
      .slice(0, MAX_NAMES)
  } catch {
    return [] // no unified hierarchy, or it has ended: who has a socket is for the reader only
  }
}

function processOf(host: HostReader, pid: string): { name: string; uid: number } | undefined {
  try {
    const status = host.readText(`/proc/${pid}/status`)
    const name = /^Name:\s+(.+)$/m.exec(status)?.[1]
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
    return name !== undefined && uid !== undefined ? { name, uid: Number(uid) } : undefined
  } catch {
    return undefined // it has ended
  }
}
