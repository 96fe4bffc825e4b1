import { readFileSync } from 'node:fs'
import { isWithin } from '../lib/path.ts'

export interface Mount {
  id: number
  /** "major:minor" of the file system. */
  device: string
  /** Which directory of the file system is mounted. */
  root: string
  /** Where. */
  path: string
  type: string
}

/** Made by the kernel as one looks: there is nothing in them to keep. */
const PSEUDO = new Set(
  (
    'proc sysfs cgroup cgroup2 devpts debugfs tracefs securityfs pstore bpf efivarfs mqueue hugetlbfs configfs fusectl ' +
    'binfmt_misc autofs rpc_pipefs nsfs selinuxfs'
  ).split(' '),
)
/** On another machine: it may hang, and has a keeper of its own. */
const NETWORK = new Set('nfs nfs4 cifs smb3 smbfs ceph glusterfs 9p afs ncpfs lustre gfs2 ocfs2'.split(' '))
const NETWORK_FUSE = /^fuse\.(sshfs|s3fs|rclone|glusterfs|cephfs|davfs|curlftpfs|gcsfuse|goofys|juicefs)/

export type MountVerdict = 'enter' | 'pseudo-file-system' | 'network-file-system' | 'bind-mount'

/** Pure: the mounts of a /proc/self/mountinfo (proc(5)); octal escapes are resolved. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ')
    const [id, , device, root, path] = (before ?? '').split(' ')
    const [type] = (after ?? '').split(' ')
    if (!id || !device || root === undefined || path === undefined || !type) return []
    return [{ id: Number(id), device, root: withoutEscapes(root), path: withoutEscapes(path), type }]
  })
}

function withoutEscapes(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/**
 * Pure: which of the mounts below a directory a scan that enters other file systems goes into. Of several places
 * where the same directory of a file system can be seen, it is the one that shows the most, else the first.
 */
export function judgeMounts(mounts: readonly Mount[], start: string): Map<number, MountVerdict> {
  const covering = mounts.filter(({ path }) => isWithin(path, start)).at(-1)
  const below = mounts.filter((mount) => mount !== covering && isWithin(start, mount.path))
  const candidates = covering ? [covering, ...below] : below
  const verdicts = new Map<number, MountVerdict>()
  for (const mount of below) {
    const shown = candidates.find(
      (other) =>
        other !== mount &&
        other.device === mount.device &&
        isWithin(shownRoot(other, start), mount.root) &&
        (other.root !== mount.root || candidates.indexOf(other) < candidates.indexOf(mount)),
    )
    if (PSEUDO.has(mount.type)) verdicts.set(mount.id, 'pseudo-file-system')
    else if (NETWORK.has(mount.type) || NETWORK_FUSE.test(mount.type))
      verdicts.set(mount.id, 'network-file-system')
    else verdicts.set(mount.id, shown ? 'bind-mount' : 'enter')
  }
  return verdicts
}

/** The directory of a mount's file system that a scan from `start` sees first. */
function shownRoot(mount: Mount, start: string): string {
  if (!isWithin(mount.path, start) || mount.path === start) return mount.root
  const inside = mount.path === '/' ? start : start.slice(mount.path.length)
  return mount.root === '/' ? inside : mount.root + inside
}

export function readMounts(): Mount[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
}
