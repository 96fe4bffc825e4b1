import { type Finding, formatDuration, type HostReader, type KernelClock } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { linesOf, textOf } from './host-files.ts'

const RULES = ['clock-not-synchronised', 'no-time-service', 'clock-off']
const SERVICES =
  'chrony chronyd ntp ntpd ntpsec openntpd systemd-timesyncd ptp4l phc2sys open-vm-tools vmtoolsd'.split(' ')
/** Where systemd keeps the processes of a service that runs. */
const CONTROL_GROUPS = ['', '/systemd', '/unified'].map((name) => `/sys/fs/cgroup${name}/system.slice`)
/** Without systemd: a file that is there while it runs. */
const PID_FILES: [service: string, path: string][] = [
  ['chronyd', '/run/chrony/chronyd.pid'],
  ['chronyd', '/run/chronyd.pid'],
  ['ntpd', '/run/ntpd.pid'],
  ['openntpd', '/run/openntpd.pid'],
]
/** There while systemd-timesyncd runs and has been in agreement with a server. */
const TIMESYNC_MARK = '/run/systemd/timesync/synchronized'
export const TIMEDATECTL: [string, ...string[]] = [
  '/usr/bin/timedatectl',
  'show',
  '--property=NTPSynchronized',
  '--value',
]
export const SYSTEM_BUS = '/run/dbus/system_bus_socket'
const CHRONY_FILES = ['/etc/chrony/chrony.conf', '/etc/chrony.conf']

export interface ClockState {
  /** Services that run. */
  active: string[]
  /** Undefined: the kernel cannot be asked. */
  kernel: KernelClock | undefined
  /** What systemd says in its place, when that was asked. */
  told?: boolean | undefined
  /** systemd-timesyncd says that it agrees with its server. */
  isMarked: boolean
  /** chrony runs and was not told to tell the kernel. */
  isSilent: boolean
}

export const clock: Area = {
  subject: 'clock',
  rules: RULES,
  async check({ host, config, container }) {
    if (config.time === 'optional') return notHere(RULES, 'the clock need not be kept')
    if (container) return notHere(RULES, `${container}: its host keeps the clock`)
    const active = activeServices(host)
    const asked = await host.clock()
    const state: ClockState = {
      active,
      kernel: asked,
      told: asked ? undefined : await askSystemd(host),
      isMarked: host.stat(TIMESYNC_MARK) !== undefined,
      isSilent: active.some((name) => name.startsWith('chrony')) && !tellsKernel(host),
    }
    const { findings, dark } = judgeClock(state, config.maxClockError)
    const { kernel } = state
    return {
      findings,
      blind:
        dark === undefined
          ? []
          : [{ subject: 'clock', reason: dark, rules: ['clock-not-synchronised', 'clock-off'] }],
      metrics: kernel
        ? [
            {
              name: 'clock_error_seconds',
              value: kernel.maxErrorMs / 1000,
              help: 'How far the clock may be off at most, as the kernel knows',
            },
          ]
        : [],
      examined: 1,
    }
  },
}

function activeServices(host: HostReader): string[] {
  const running = SERVICES.filter((name) =>
    CONTROL_GROUPS.some((group) => host.stat(`${group}/${name}.service`)),
  )
  const others = PID_FILES.filter(([, path]) => host.stat(path)).map(([name]) => name)
  return [...new Set([...running, ...others])]
}

/** In a unit with ProtectClock nobody may ask the kernel; systemd-timedated may, and tells whoever keeps the clock. */
async function askSystemd(host: HostReader): Promise<boolean | undefined> {
  if (host.root !== '/' || !host.statTarget(TIMEDATECTL[0]) || !host.statTarget(SYSTEM_BUS)) return undefined
  const { exitCode, stdout } = await host.run(TIMEDATECTL, { timeout: 10_000, maxBytes: 4096 })
  if (exitCode !== 0) return undefined
  return { yes: true, no: false }[stdout.trim()]
}

/** Without `rtcsync` chrony leaves the kernel in the belief that nobody keeps its clock (chrony.conf(5)). */
function tellsKernel(host: HostReader): boolean {
  const lines = CHRONY_FILES.flatMap((path) => linesOf(path, textOf(host, path) ?? ''))
  return lines.some(({ text }) => /^rtcsync\b/i.test(text))
}

/** Pure: what is wrong with the clock, or why that cannot be told. */
export function judgeClock(state: ClockState, maxErrorMs: number): { findings: Finding[]; dark?: string } {
  const { active, kernel, told, isMarked, isSilent } = state
  const who = active.length > 0 ? active.join(', ') : 'no time service'
  const findings: Finding[] = []
  const report = (rule: string, severity: Finding['severity'], summary: string, remedy: string) =>
    findings.push({
      rule,
      subject: 'clock',
      severity,
      summary,
      remedy,
      references: ['CIS-2.3', 'NIST-CSF-PR.PT-1'],
    })
  if (active.length === 0) {
    report(
      'no-time-service',
      'warning',
      'No service keeps the clock of this host: certificates, tokens and logs rely on it',
      'apt-get install systemd-timesyncd && systemctl enable --now systemd-timesyncd\nOr another one, such as chrony',
    )
  }
  const isSynchronised = kernel ? kernel.synchronised : (told ?? isMarked)
  if (!isSynchronised && isSilent) {
    return {
      findings,
      dark: 'chrony does not tell the kernel whether it agrees with its servers: add "rtcsync" to its configuration',
    }
  }
  if (!isSynchronised && !kernel && told === undefined && !active.includes('systemd-timesyncd')) {
    return {
      findings,
      dark: 'the kernel may not be asked here, and nothing else tells (timedatectl, or what systemd-timesyncd leaves)',
    }
  }
  if (!isSynchronised) {
    report(
      'clock-not-synchronised',
      'warning',
      `The clock is not in agreement with any time server; ${who} runs`,
      active.includes('systemd-timesyncd')
        ? 'Look whether its server is reached (UDP 123): timedatectl timesync-status'
        : 'Look whether a server is reached (UDP 123): chronyc sources, or ntpq -p',
    )
    return { findings }
  }
  const offMs = kernel ? Math.max(Math.abs(kernel.offsetMs), kernel.estimatedErrorMs) : 0
  if (offMs > maxErrorMs) {
    report(
      'clock-off',
      'warning',
      `The clock is off by about ${formatDuration(offMs)}, wanted at most ${formatDuration(maxErrorMs)}`,
      'Look why (timedatectl timesync-status, chronyc tracking), and set it at once: systemctl restart systemd-timesyncd, or chronyc makestep',
    )
  }
  return { findings }
}
