import { capabilityNames } from '../../agent/contract/mod.ts'

/** What everybody may know of a process, from its /proc/PID/status. */
export interface Status {
  name: string
  /** Real, effective, saved and file-system user. */
  uids: number[]
  /** In effect or permitted. */
  capabilities: string[]
  noNewPrivileges: boolean
  /** 0 none, 1 strict, 2 a filter; undefined for a kernel without it. */
  seccomp: number | undefined
}

/** Undefined for what is no such text. Pure. */
export function parseStatus(text: string): Status | undefined {
  const field = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(text)?.[1]
  const uids = (field('Uid') ?? '').split(/\s+/).map(Number)
  const [effective, permitted] = [field('CapEff'), field('CapPrm')]
  const isHex = (word: string | undefined) => word !== undefined && /^[0-9a-f]{1,16}$/.test(word)
  if (uids.length !== 4 || uids.some(Number.isNaN) || !isHex(effective) || !isHex(permitted)) return undefined
  const seccomp = field('Seccomp')
  return {
    name: field('Name') ?? '',
    uids,
    capabilities: capabilityNames(BigInt(`0x${effective}`) | BigInt(`0x${permitted}`)),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: seccomp === undefined ? undefined : Number(seccomp),
  }
}

const PF_KTHREAD = 0x0020_0000

/** Whether /proc/PID/stat is of a thread of the kernel (proc(5), field 9). Pure. */
export function isKernelThread(stat: string): boolean {
  // The name, in parentheses, may hold anything.
  const flags = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6])
  return (flags & PF_KTHREAD) !== 0
}

/** "0" or "unlimited": the soft limit on core dumps, from /proc/PID/limits; undefined for what is no such text. Pure. */
export function parseCoreLimit(text: string): string | undefined {
  return /^Max core file size\s+(\S+)/m.exec(text)?.[1]
}

export interface Place {
  /** "nginx.service", "session-3.scope"; undefined outside of units. */
  unit: string | undefined
  /** Of a user's own manager: the user's id. */
  owner: number | undefined
}

/** Where a process stands, from /proc/PID/cgroup: the unified hierarchy, else that of systemd. Pure. */
export function parseControlGroup(text: string): Place {
  const lines = text.split('\n')
  const line =
    lines.find((one) => one.startsWith('0::/')) ?? lines.find((one) => one.includes(':name=systemd:')) ?? ''
  const path = line.slice(line.indexOf(':/') + 1)
  const unit = path
    .split('/')
    .filter((part) => /\.(service|scope|socket)$/.test(part))
    .at(-1)
  const owner = /\/user@(\d+)\.service\/./.exec(path)?.[1]
  return { unit, owner: owner === undefined ? undefined : Number(owner) }
}

/** Arguments from /proc/PID/cmdline; some programs write one text in their place. Pure. */
export function parseCommandLine(text: string): string[] {
  return text.replace(/\0+$/, '').split('\0')
}

/** Ports of listening TCP sockets by inode, from /proc/net/tcp and tcp6. Pure. */
export function parseListeners(text: string): Map<string, number> {
  const ports = new Map<string, number>()
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state === '0A') ports.set(inode, Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16))
  }
  return ports
}
