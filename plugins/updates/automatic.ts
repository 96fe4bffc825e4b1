import { errnoOf, type Finding, formatDuration, type HostReader } from '../../agent/contract/mod.ts'
import { type AptSetting, isAptConfigFile, parseAptConfig } from './apt-config.ts'
import { type Area, notHere } from './area.ts'

const RULES = ['no-automatic-updates', 'automatic-updates-stale']
const APT_CONFIG = '/etc/apt/apt.conf'
/** Touched by each of its runs. */
const APT_STAMPS = [
  '/var/lib/apt/periodic/upgrade-stamp',
  '/var/lib/apt/periodic/unattended-upgrades-stamp',
  '/var/log/unattended-upgrades/unattended-upgrades.log',
]
const DNF_CONFIG = '/etc/dnf/automatic.conf'
const DNF_TIMERS = ['dnf-automatic.timer', 'dnf-automatic-install.timer']
const UNITS = '/etc/systemd/system'
const DAY_MS = 86_400_000

/** What is known of the program that installs updates by itself. */
export interface Automatic {
  name: 'unattended-upgrades' | 'dnf-automatic'
  /** What keeps it from its work, with the remedy. */
  faults: { summary: string; remedy: string; path?: string; line?: number }[]
  lastRunMs: number | undefined
  /** Since when it could have run. */
  installedMs: number | undefined
}

export const automaticUpdates: Area = {
  subject: 'automatic updates',
  rules: RULES,
  check({ host, config, now }, packages) {
    if (config.automatic === 'optional') return notHere(RULES, 'updates need not be installed by themselves')
    const installed = packages()
    const automatic = installed
      ? ofApt(
          host,
          [...installed.values()].some(({ name }) => name === 'unattended-upgrades'),
        )
      : ofDnf(host)
    return { findings: judgeAutomatic(automatic, config.automaticMaxAge, now.getTime()), examined: 1 }
  },
}

function ofApt(host: HostReader, isInstalled: boolean): Automatic {
  const name = 'unattended-upgrades'
  if (!isInstalled) {
    const remedy =
      'apt-get install unattended-upgrades && printf \'APT::Periodic::%s "1";\\n\' Update-Package-Lists Unattended-Upgrade > /etc/apt/apt.conf.d/20auto-upgrades'
    const faults = [{ summary: 'unattended-upgrades is not installed', remedy }]
    return { name, faults, lastRunMs: undefined, installedMs: undefined }
  }
  return {
    name,
    faults: [
      ...aptFaults(readAptConfig(host)),
      ...timerFaults(host, ['apt-daily.timer', 'apt-daily-upgrade.timer']),
    ],
    lastRunMs: newest(host, APT_STAMPS),
    installedMs: host.stat('/var/lib/dpkg/info/unattended-upgrades.list')?.mtimeMs,
  }
}

/** Pure: what in apt's configuration keeps updates from being installed. */
export function aptFaults(settings: readonly AptSetting[]): Automatic['faults'] {
  const faults: Automatic['faults'] = []
  for (const key of ['APT::Periodic::Update-Package-Lists', 'APT::Periodic::Unattended-Upgrade']) {
    const last = settings.findLast((one) => one.key === key.toLowerCase())
    if (last && last.value !== '0' && last.value !== '') continue
    const place = last ? { path: last.path, line: last.line } : {}
    const summary = last ? `${key} is "${last.value}" (${last.path}:${last.line})` : `${key} is not set`
    const remedy = `echo '${key} "1";' >> /etc/apt/apt.conf.d/99auto-upgrades`
    faults.push({ summary, remedy, ...place })
  }
  const master = settings.findLast(({ key }) => key === 'apt::periodic::enable')
  if (master?.value === '0') {
    const { path, line } = master
    const summary = `APT::Periodic::Enable is "0" (${path}:${line})`
    faults.push({ summary, remedy: `sed -i '${line}d' ${path}`, path, line })
  }
  const origins = settings.filter(({ key }) =>
    ['unattended-upgrade::allowed-origins', 'unattended-upgrade::origins-pattern'].includes(key),
  )
  if (origins.length > 0 && !origins.some(({ value }) => /security/i.test(value))) {
    const [{ path, line } = { path: '', line: 0 }] = origins
    faults.push({
      summary: `unattended-upgrades takes nothing from a source of security updates (${path}:${line})`,
      remedy: `Add to Unattended-Upgrade::Origins-Pattern in ${path}: "origin=Debian,codename=\${distro_codename}-security,label=Debian-Security";`,
      path,
      line,
    })
  }
  return faults
}

function readAptConfig(host: HostReader): AptSetting[] {
  const directory = `${APT_CONFIG}.d`
  const names = host.stat(directory) ? host.list(directory).filter(isAptConfigFile) : []
  const paths = [
    ...names.map((name) => `${directory}/${name}`),
    ...(host.stat(APT_CONFIG) ? [APT_CONFIG] : []),
  ]
  return paths.flatMap((path) =>
    host.statTarget(path)?.type === 'file' ? parseAptConfig(path, host.readText(path, { follow: true })) : [],
  )
}

function ofDnf(host: HostReader): Automatic {
  const name = 'dnf-automatic'
  if (!host.stat('/usr/bin/dnf') && !host.stat('/usr/bin/dnf5')) {
    throw new Error('neither apt nor dnf is here: how updates are installed is not known')
  }
  const text = host.stat(DNF_CONFIG) ? host.readText(DNF_CONFIG) : undefined
  if (text === undefined) {
    const remedy = `dnf install -y dnf-automatic && sed -i 's/^apply_updates.*/apply_updates = yes/' ${DNF_CONFIG} && systemctl enable --now dnf-automatic.timer`
    return {
      name,
      faults: [{ summary: 'dnf-automatic is not installed', remedy }],
      lastRunMs: undefined,
      installedMs: undefined,
    }
  }
  const isEnabled = DNF_TIMERS.find((timer) => host.stat(`${UNITS}/timers.target.wants/${timer}`))
  const faults: Automatic['faults'] = []
  if (!isEnabled) {
    faults.push({
      summary: 'the timer of dnf-automatic is off',
      remedy: 'systemctl enable --now dnf-automatic.timer',
    })
  } else if (
    isEnabled === 'dnf-automatic.timer' &&
    !/^\s*apply_updates\s*=\s*(yes|true|1|on)\s*$/im.test(text)
  ) {
    const line = text.split('\n').findIndex((one) => /^\s*apply_updates\b/.test(one)) + 1
    faults.push({
      summary: `apply_updates is not "yes" (${DNF_CONFIG}${line > 0 ? `:${line}` : ''})`,
      remedy: `sed -i 's/^apply_updates.*/apply_updates = yes/' ${DNF_CONFIG}`,
      path: DNF_CONFIG,
      line,
    })
  }
  return {
    name,
    faults,
    lastRunMs: newest(
      host,
      DNF_TIMERS.map((timer) => `/var/lib/systemd/timers/stamp-${timer}`),
    ),
    installedMs: host.stat(DNF_CONFIG)?.ctimeMs,
  }
}

function timerFaults(host: HostReader, timers: string[]): Automatic['faults'] {
  // Without systemd it is cron that starts it (/etc/cron.daily/apt-compat).
  if (!host.stat('/run/systemd/system')) return []
  return timers.flatMap((timer) => {
    const own = host.stat(`${UNITS}/${timer}`)
    const isMasked = own?.type === 'symlink' && host.readLink(`${UNITS}/${timer}`) === '/dev/null'
    const isEnabled = host.stat(`${UNITS}/timers.target.wants/${timer}`) !== undefined
    if (!isMasked && isEnabled) return []
    const remedy = `systemctl ${isMasked ? `unmask ${timer} && systemctl ` : ''}enable --now ${timer}`
    return [{ summary: `${timer} is ${isMasked ? 'masked' : 'off'}`, remedy }]
  })
}

function newest(host: HostReader, paths: string[]): number | undefined {
  const times = paths.flatMap((path) => {
    try {
      return host.statTarget(path)?.mtimeMs ?? []
    } catch (error) {
      // The directory of the log is not for everybody; the others tell as well.
      if (errnoOf(error) === 'EACCES') return []
      throw error
    }
  })
  return times.length === 0 ? undefined : Math.max(...times)
}

/** Pure. */
export function judgeAutomatic(
  { name, faults, lastRunMs, installedMs }: Automatic,
  maxAgeMs: number,
  nowMs: number,
): Finding[] {
  const references = ['OWASP-A06:2021', 'NIST-CSF-PR.IP-12']
  const [first] = faults
  if (first) {
    return [
      {
        rule: 'no-automatic-updates',
        subject: name,
        severity: 'warning',
        summary: `Security updates are not installed by themselves: ${faults.map(({ summary }) => summary).join('; ')}`,
        remedy: faults.map(({ remedy }) => remedy).join('\n'),
        evidence: first.path === undefined ? {} : { path: first.path, line: first.line ?? null },
        references,
      },
    ]
  }
  const sinceMs = lastRunMs ?? installedMs ?? 0
  if (nowMs - sinceMs <= maxAgeMs) return []
  const ago =
    lastRunMs === undefined
      ? 'has never run'
      : `last ran ${formatDuration(Math.floor((nowMs - lastRunMs) / DAY_MS) * DAY_MS)} ago`
  return [
    {
      rule: 'automatic-updates-stale',
      subject: name,
      severity: 'warning',
      summary: `${name} ${ago}, wanted at least every ${formatDuration(maxAgeMs)}`,
      remedy:
        name === 'dnf-automatic'
          ? 'systemctl start dnf-automatic.service\nWhat it said: journalctl -u dnf-automatic'
          : 'systemctl start apt-daily.service apt-daily-upgrade.service\nWhat it said: journalctl -u apt-daily-upgrade; what it would do: unattended-upgrade --dry-run --debug',
      references,
    },
  ]
}
