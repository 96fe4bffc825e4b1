import { type Blind, describeError, type HostReader } from '../../../agent/contract/mod.ts'

/** Kernel ticks of /proc in a second: USER_HZ, which is 100 on every architecture that reeve is built for. */
const TICKS_PER_SECOND = 100
const MAX_PROCESSES = 50_000
/** Of a command line; a longer one is looked at as far as that. */
const MAX_COMMAND_LINE_BYTES = 65_536

export interface Process {
  pid: number
  /** "nginx"; at most 15 bytes of the program's name. */
  name: string
  /** UTC milliseconds, exact to a second. */
  startedAtMs: number
  /** systemd unit that it belongs to. */
  unit: string | undefined
  /** Its command line; [] for a thread of the kernel. */
  words: string[]
}

/**
 * All processes, as far as /proc tells without any right over them: a jailed run may not see the environment or the
 * open files of another process, but when it started, its unit and its command line are open to every user.
 */
export function readProcesses(host: HostReader): { processes: Process[]; blind: Blind[] } {
  const blind = (reason: string) => ({ processes: [], blind: [{ subject: '/proc', reason }] })
  const reader = new ProcReader(host)
  let bootMs: number
  let pids: string[]
  try {
    const boot = /^btime (\d+)$/m.exec(reader.text('/proc/stat'))?.[1]
    if (boot === undefined) return blind('it does not say when this host was started')
    bootMs = Number(boot) * 1000
    pids = host.list('/proc').filter((name) => /^\d+$/.test(name))
  } catch (error) {
    return blind(describeError(error))
  }
  // Mounted with hidepid, it shows a user nobody else's processes; the first one is never the user's own.
  if (!pids.includes('1')) return blind('it hides the processes of other users (hidepid)')
  const processes: Process[] = []
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    try {
      processes.push(readProcess(reader, Number(pid), bootMs))
    } catch {
      // It has ended since.
    }
  }
  return { processes, blind: [] }
}

function readProcess(reader: ProcReader, pid: number, bootMs: number): Process {
  const stat = reader.text(`/proc/${pid}/stat`)
  // The name may hold blanks and parentheses, so the rest begins after the last one (proc_pid_stat(5)).
  const end = stat.lastIndexOf(')')
  const ticks = Number(stat.slice(end + 2).split(' ')[19])
  return {
    pid,
    name: stat.slice(stat.indexOf('(') + 1, end),
    startedAtMs: bootMs + (ticks * 1000) / TICKS_PER_SECOND,
    unit: unitOf(reader.text(`/proc/${pid}/cgroup`)),
    words: reader.text(`/proc/${pid}/cmdline`).split('\0').filter(Boolean),
  }
}

/** "nginx.service" of "0::/system.slice/nginx.service"; of a user's service the innermost. */
export function unitOf(cgroup: string): string | undefined {
  for (const line of cgroup.split('\n')) {
    const [, path] = /^(?:0:|\d+:name=systemd):(\/.*)$/.exec(line) ?? []
    const unit = path?.split('/').findLast((part) => part.endsWith('.service'))
    if (unit !== undefined) return unit
  }
  return undefined
}

/** Reads small files of /proc through one buffer. */
class ProcReader {
  private readonly buffer = Buffer.alloc(MAX_COMMAND_LINE_BYTES)

  constructor(private readonly host: HostReader) {}

  text(path: string): string {
    const source = this.host.open(path)
    try {
      let length = 0
      for (;;) {
        const count = source.read(this.buffer.subarray(length), length)
        length += count
        if (count === 0 || length === this.buffer.length) return this.buffer.toString('utf8', 0, length)
      }
    } finally {
      source.close()
    }
  }
}
