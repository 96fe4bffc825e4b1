import { type Finding, formatDuration, type HostReader } from '../../agent/contract/mod.ts'
import { type Area, notHere, type Packages } from './area.ts'
import { compareVersions } from './version.ts'

const RULES = ['reboot-pending', 'reboot-overdue']
const FLAGS = ['/run/reboot-required', '/var/run/reboot-required']
const INITIAL_NAMESPACE = 'pid:[4026531836]'
const DAY_MS = 86_400_000

export interface KernelImage {
  release: string
  installedMs: number
}

export const reboot: Area = {
  subject: 'reboot',
  rules: RULES,
  check({ host, config, now }, packages) {
    if (isContainer(host)) return notHere(RULES, 'this is a container: its host has the kernel')
    const nowMs = now.getTime()
    const findings: Finding[] = []
    const flag = FLAGS.flatMap((path) => host.stat(path) ?? [])[0]
    if (flag) {
      const packages = flagPackages(host)
      const for_ = packages.length > 0 ? ` for ${packages.slice(0, 5).join(', ')}` : ''
      findings.push(
        due('reboot-required', `A restart is required${for_}`, nowMs - flag.mtimeMs, config.rebootGrace),
      )
    }
    const running = osRelease(host)
    const images = kernelImages(host)
    const newer = newerKernel(running, images) ?? updatedKernel(host, running, packages)
    if (newer) {
      const summary = `The kernel that runs is ${newer.running}, and ${newer.release} is installed`
      findings.push(due('kernel', summary, nowMs - newer.installedMs, config.rebootGrace))
    }
    return {
      findings,
      facts: [{ kind: 'kernel', subject: running, data: { newest: newer?.release ?? running } }],
      examined: 1 + images.length,
    }
  },
}

function isContainer(host: HostReader): boolean {
  const link = '/proc/self/ns/pid'
  if (host.stat(link)) return host.readLink(link) !== INITIAL_NAMESPACE
  return ['/run/systemd/container', '/.dockerenv', '/run/.containerenv'].some((path) => host.stat(path))
}

function due(subject: string, what: string, ageMs: number, graceMs: number): Finding {
  const isOverdue = ageMs > graceMs
  const since = ageMs < DAY_MS ? '' : `, for ${formatDuration(Math.floor(ageMs / DAY_MS) * DAY_MS)}`
  return {
    rule: isOverdue ? 'reboot-overdue' : 'reboot-pending',
    subject,
    severity: isOverdue ? 'warning' : 'info',
    summary: `${what}${since}: until then the old code runs`,
    remedy:
      'Restart the host at a time that suits (systemctl reboot); needrestart shows which services are concerned',
    references: ['OWASP-A06:2021', 'NIST-CSF-PR.IP-12'],
  }
}

function flagPackages(host: HostReader): string[] {
  const path = FLAGS.map((flag) => `${flag}.pkgs`).find((one) => host.stat(one))
  if (path === undefined) return []
  return [
    ...new Set(
      host
        .readText(path)
        .split('\n')
        .filter((line) => /^[a-z0-9][a-z0-9.+-]*$/.test(line)),
    ),
  ]
}

function osRelease(host: HostReader): string {
  return host.readText('/proc/sys/kernel/osrelease').trim()
}

function kernelImages(host: HostReader): KernelImage[] {
  if (!host.stat('/boot')) return []
  return host.list('/boot').flatMap((name) => {
    const stat = name.startsWith('vmlinuz-') ? host.stat(`/boot/${name}`) : undefined
    if (stat?.type !== 'file') return []
    return [{ release: name.slice('vmlinuz-'.length), installedMs: Math.max(stat.mtimeMs, stat.ctimeMs) }]
  })
}

/** "6.1.0-28-cloud-amd64" is 6.1.0-28 of the flavour cloud-amd64; "5.14.0-503.el9.x86_64" has none. Pure. */
export function splitRelease(release: string): { version: string; flavour: string } {
  const [, version = release, flavour = ''] =
    /^(\d[\d.+~]*(?:-\d[\d.+~]*)*)-([a-z][\w-]*)$/.exec(release) ?? []
  return { version, flavour }
}

/** Pure: the newest installed kernel of the flavour that runs, when that is a newer one. */
export function newerKernel(
  running: string,
  images: readonly KernelImage[],
): (KernelImage & { running: string }) | undefined {
  const { flavour, version } = splitRelease(running)
  const [newest] = images
    .filter(({ release }) => splitRelease(release).flavour === flavour && !release.includes('rescue'))
    .toSorted((a, b) => compareVersions(splitRelease(b.release).version, splitRelease(a.release).version))
  if (!newest || compareVersions(splitRelease(newest.release).version, version) <= 0) return undefined
  return { ...newest, running }
}

/** Debian updates a kernel under its name as long as modules fit: the version is in what the kernel says of itself. */
function updatedKernel(
  host: HostReader,
  release: string,
  packages: Packages,
): (KernelImage & { running: string }) | undefined {
  const path = '/proc/sys/kernel/version'
  const [, running] = host.stat(path) ? (/\bDebian (\S+)/.exec(host.readText(path)) ?? []) : []
  const name = `linux-image-${release}`
  if (running === undefined) return undefined
  const one = [...(packages()?.values() ?? [])].find((candidate) => candidate.name === name)
  if (!one || compareVersions(one.version, running) <= 0) return undefined
  const installedMs = host.stat(`/var/lib/dpkg/info/${name}.list`)?.mtimeMs ?? 0
  return { release: one.version, running, installedMs }
}
