import { isWithin } from '../../../agent/contract/mod.ts'
import type { Mount } from '../settings.ts'

/** Sockets over which one can have the host do anything. */
const ENGINE_SOCKETS = [
  '/run/docker.sock',
  '/run/podman/podman.sock',
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
]
/** Directories that hold such sockets and little else that a container wants. */
const SOCKET_DIRECTORIES = ['/', '/run', '/run/podman', '/run/containerd']

/** What a container that can write there can do to the host, and whether reading it is harmful, too. */
const SENSITIVE: { path: string; isSecret: boolean }[] = [
  { path: '/', isSecret: true },
  { path: '/etc', isSecret: true },
  { path: '/root', isSecret: true },
  { path: '/boot', isSecret: false },
  { path: '/dev', isSecret: true },
  { path: '/proc', isSecret: false },
  { path: '/sys', isSecret: false },
  { path: '/lib', isSecret: false },
  { path: '/bin', isSecret: false },
  { path: '/sbin', isSecret: false },
  { path: '/usr', isSecret: false },
  { path: '/home', isSecret: true },
  { path: '/var', isSecret: true },
  { path: '/var/lib', isSecret: true },
  { path: '/var/lib/docker', isSecret: true },
  { path: '/var/lib/containers', isSecret: true },
  { path: '/var/spool/cron', isSecret: false },
  { path: '/etc/shadow', isSecret: true },
  { path: '/etc/passwd', isSecret: false },
  { path: '/etc/group', isSecret: false },
  { path: '/etc/sudoers', isSecret: false },
  { path: '/etc/sudoers.d', isSecret: false },
  { path: '/etc/ssh', isSecret: true },
  { path: '/etc/pam.d', isSecret: false },
  { path: '/etc/cron.d', isSecret: false },
  { path: '/etc/crontab', isSecret: false },
  { path: '/etc/systemd', isSecret: false },
  { path: '/etc/ld.so.preload', isSecret: false },
  { path: '/root/.ssh', isSecret: true },
]

/** /var/run is /run on every system of today. */
function settled(path: string): string {
  const normal = path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  return normal === '/var/run' || normal.startsWith('/var/run/') ? normal.slice(4) : normal
}

/** Whether the mount brings the socket of an engine into the container; read-only does not make the API so. Pure. */
export function bringsEngineSocket({ source }: Mount): boolean {
  const path = settled(source)
  return (
    ENGINE_SOCKETS.includes(path) ||
    SOCKET_DIRECTORIES.includes(path) ||
    /^\/run\/user\/\d+(\/podman|\/docker\.sock|\/podman\/podman\.sock)?$/.test(path) ||
    /\/(docker|podman|containerd)\.sock$/.test(path)
  )
}

/** What a mount opens of the host; undefined where that is nothing special. Pure. */
export function sensitivityOf({ source, readOnly }: Mount): 'write' | 'read' | undefined {
  const path = settled(source)
  const known = SENSITIVE.find((one) => one.path === path)
  const isBelow = !known && ['/proc', '/sys', '/dev/mem', '/dev/kmem'].some((one) => isWithin(one, path))
  if (!known && !isBelow) return undefined
  if (!readOnly) return 'write'
  return known?.isSecret ? 'read' : undefined
}
