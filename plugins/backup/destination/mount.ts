import type { HostReader } from '../../../agent/contract/mod.ts'

/** The kernel's list of what is mounted where, as this process sees it. */
export const MOUNT_TABLE = '/proc/self/mountinfo'
const MOUNT_TABLE_MAX_BYTES = 4_194_304
/** Links that udev makes: the name of each is the UUID of a file system. */
const BY_UUID = '/dev/disk/by-uuid'

export interface Mount {
  mountPoint: string
  /** "/dev/sda1"; for what has no device, some other word. */
  source: string
}

/** proc_pid_mountinfo(5): the fields before " - ", then type, source and options of the file system. */
export function parseMounts(table: string): Mount[] {
  return table.split('\n').flatMap((line) => {
    const [own, shared] = line.split(' - ')
    const [, , , , mountPoint] = own?.split(' ') ?? []
    const source = shared?.split(' ')[1]
    if (mountPoint === undefined || source === undefined) return []
    return [{ mountPoint: unescapeOctal(mountPoint), source: unescapeOctal(source) }]
  })
}

/** The mount that a path without links is on: of those above it the deepest, and of one place the last. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined
  for (const mount of mounts) {
    const { mountPoint } = mount
    const isAbove = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`)
    if (isAbove && mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount
  }
  return best
}

/** Why the file system with this UUID is not the one that is mounted at (or above) the directory; undefined when it is. */
export function refuseMount(host: HostReader, directory: string, uuid: string): string | undefined {
  const link = `${BY_UUID}/${uuid}`
  if (!host.stat(link)) return `there is no disk with the file system ${uuid} (${BY_UUID})`
  const device = resolveFrom(BY_UUID, host.readLink(link))
  const node = host.exactStat(device)
  const at = host.statTarget(directory)
  if (node && at && deviceName(at.dev) === `${node.deviceMajor}:${node.deviceMinor}`) return undefined
  // btrfs has numbers of its own: there the name of the device tells.
  const table = host.readText(MOUNT_TABLE, { maxBytes: MOUNT_TABLE_MAX_BYTES })
  const mount = mountOf(parseMounts(table), directory)
  if (mount?.source === device) return undefined
  const there = mount ? `${mount.source} (mounted at ${mount.mountPoint})` : 'something else'
  return `the file system ${uuid} is not mounted there: it is on ${there}`
}

function resolveFrom(directory: string, target: string): string {
  if (target.startsWith('/')) return target
  const parts = directory.split('/')
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

/** "8:1" of a device number, as makedev(3) puts it together. */
function deviceName(device: number): string {
  const number = BigInt(device)
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n)
  return `${major}:${minor}`
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
