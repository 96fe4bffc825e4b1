import { errnoOf, type HostReader } from '../../agent/contract/mod.ts'
import {
  isKernelThread,
  type Place,
  parseCommandLine,
  parseControlGroup,
  parseCoreLimit,
  parseStatus,
  type Status,
} from './parse-proc.ts'

const MAX_BYTES = 1024 * 1024
/** A process that has ended. */
const GONE = new Set(['ENOENT', 'ESRCH'])

/** Processes of the host by id, each file of theirs read once, when it is asked for. Undefined: it has ended. */
export class ProcessTable {
  private readonly statuses = new Map<number, Status | undefined>()
  private readonly places = new Map<number, Place | undefined>()

  constructor(private readonly host: HostReader) {}

  /** All but the threads of the kernel, which only show when their file is read. */
  ids(): number[] {
    return this.host.list('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  }

  isKernelThread(pid: number): boolean {
    const stat = this.read(pid, 'stat')
    return stat !== undefined && isKernelThread(stat)
  }

  status(pid: number): Status | undefined {
    return remember(this.statuses, pid, () => {
      const text = this.read(pid, 'status')
      return text === undefined ? undefined : parseStatus(text)
    })
  }

  place(pid: number): Place | undefined {
    return remember(this.places, pid, () => {
      const text = this.read(pid, 'cgroup')
      return text === undefined ? undefined : parseControlGroup(text)
    })
  }

  coreLimit(pid: number): string | undefined {
    const text = this.read(pid, 'limits')
    return text === undefined ? undefined : parseCoreLimit(text)
  }

  /** Empty for a thread of the kernel, and for a zombie. */
  arguments(pid: number): string[] {
    return parseCommandLine(this.read(pid, 'cmdline') ?? '')
  }

  private read(pid: number, name: string): string | undefined {
    try {
      return this.host.readText(`/proc/${pid}/${name}`, { maxBytes: MAX_BYTES })
    } catch (error) {
      if (GONE.has(errnoOf(error) ?? '')) return undefined
      throw error
    }
  }
}

function remember<T>(known: Map<number, T>, pid: number, look: () => T): T {
  const before = known.get(pid)
  if (before !== undefined || known.has(pid)) return before as T
  const found = look()
  known.set(pid, found)
  return found
}
