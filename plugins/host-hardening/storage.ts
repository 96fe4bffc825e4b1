import type { HostReader } from '../../agent/contract/mod.ts'
import { namesIn, realPath, textOf } from './host-files.ts'
import { type Mount, mountOf } from './mount-table.ts'

/** What is known about the storage of a path, a device or a file system. */
export interface Storage {
  state: 'encrypted' | 'memory' | 'plain' | 'unknown'
  /** For the reader: "LUKS2 on dm-0", "ext4 on vda1". */
  what: string
}

const BLOCK = '/sys/devices/virtual/block'
const MAX_DEPTH = 16
const IN_MEMORY = new Set(['tmpfs', 'ramfs', 'devtmpfs', 'rootfs'])
/** File systems that encrypt what they keep. */
const ENCRYPTING = new Set(['ecryptfs', 'fuse.gocryptfs', 'fuse.encfs', 'fuse.cryfs', 'fuse.securefs'])
const REMOTE = /^(nfs4?|cifs|smb3|ceph|9p|virtiofs|afs|glusterfs|lustre|fuse\.(sshfs|s3fs|rclone|glusterfs))$/
/** Of dm-crypt, by how its table was made (cryptsetup's names of a device-mapper uuid). */
const CRYPT = /^CRYPT-(LUKS1|LUKS2|PLAIN|LOOPAES|TCRYPT|BITLK|FVAULT2)-/

/** Where what is written to a path ends up. Throws when it cannot be looked at. */
export function storageOf(host: HostReader, mounts: readonly Mount[], path: string, depth = 0): Storage {
  const real = realPath(host, path) ?? path
  const mount = mountOf(mounts, real)
  if (!mount) return { state: 'unknown', what: 'no mount holds it' }
  const { device, type, source } = mount
  if (IN_MEMORY.has(type)) return { state: 'memory', what: `${type}, in memory` }
  if (ENCRYPTING.has(type)) return { state: 'encrypted', what: type }
  if (REMOTE.test(type)) return { state: 'unknown', what: `${type}: it lies on another machine (${source})` }
  if (type === 'zfs') {
    const what = `ZFS dataset ${source}: only \`zfs get encryption ${source}\` tells`
    return { state: 'unknown', what }
  }
  if (type === 'overlay') {
    const upper = mount.options.find((option) => option.startsWith('upperdir='))?.slice('upperdir='.length)
    if (upper === undefined || depth > 0 || !host.stat(upper)) {
      return { state: 'unknown', what: 'an overlay, whose upper directory is not to be seen from here' }
    }
    return storageOf(host, mounts, upper, depth + 1)
  }
  if (device.startsWith('0:')) {
    const name = deviceName(host, source)
    if (name === undefined)
      return { state: 'unknown', what: `${type} from ${source}, which is no block device` }
    const names = type === 'btrfs' ? btrfsDevices(host, name) : [name]
    return weakest(names.map((member) => deviceStorage(host, mounts, member, depth)))
  }
  const link = linkOf(host, `/sys/dev/block/${device}`) ?? source
  return deviceStorage(host, mounts, link.slice(link.lastIndexOf('/') + 1), depth)
}

/** What a block device ("sda1", "dm-0", "loop3") writes to. */
export function deviceStorage(host: HostReader, mounts: readonly Mount[], name: string, depth = 0): Storage {
  if (depth > MAX_DEPTH) return { state: 'unknown', what: `${name}, which lies on itself` }
  const place = `${BLOCK}/${name}`
  if (!host.stat(place)) return { state: 'plain', what: name }
  if (name.startsWith('zram')) {
    const backing = textOf(host, `${place}/backing_dev`)?.trim() ?? 'none'
    if (backing === 'none' || backing === '') return { state: 'memory', what: `${name}, in memory` }
    const behind = deviceName(host, backing)
    return behind === undefined
      ? { state: 'unknown', what: `${name}, which writes back to ${backing}` }
      : deviceStorage(host, mounts, behind, depth + 1)
  }
  if (/^ram\d+$/.test(name)) return { state: 'memory', what: `${name}, in memory` }
  const uuid = textOf(host, `${place}/dm/uuid`)?.trim()
  const [, form] = CRYPT.exec(uuid ?? '') ?? []
  if (form) return { state: 'encrypted', what: `${form} on ${name}` }
  const backing = textOf(host, `${place}/loop/backing_file`)?.trim()
  if (backing) return storageOf(host, mounts, backing, depth + 1)
  const members = namesIn(host, `${place}/slaves`)
  if (members.length === 0) {
    // A virtual device that nobody is behind: a virtual disk is one, too.
    return uuid === undefined
      ? { state: 'plain', what: name }
      : { state: 'unknown', what: `${name}, which is on nothing` }
  }
  const below = weakest(members.map((member) => deviceStorage(host, mounts, member, depth + 1)))
  return { ...below, what: `${name} on ${below.what}` }
}

/** Of several devices that share the data, the one that protects least. */
function weakest(all: Storage[]): Storage {
  const order: Storage['state'][] = ['plain', 'unknown', 'memory', 'encrypted']
  const [first] = all.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  return first ?? { state: 'unknown', what: 'no device' }
}

/** "/dev/mapper/root" → "dm-0", "/dev/vda1" → "vda1". */
export function deviceName(host: HostReader, path: string): string | undefined {
  if (!path.startsWith('/dev/')) return undefined
  const real = realPath(host, path) ?? path
  return real.slice(real.lastIndexOf('/') + 1)
}

function btrfsDevices(host: HostReader, name: string): string[] {
  const root = '/sys/fs/btrfs'
  for (const id of namesIn(host, root)) {
    const members = id.includes('-') ? namesIn(host, `${root}/${id}/devices`) : []
    if (members.includes(name)) return members
  }
  return [name]
}

function linkOf(host: HostReader, path: string): string | undefined {
  return host.stat(path)?.type === 'symlink' ? host.readLink(path) : undefined
}
