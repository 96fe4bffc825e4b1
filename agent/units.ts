import serviceUnit from '../packaging/systemd/reeve.service' with { type: 'text' }
import { neededCapabilities, type Permissions } from './contract/permissions.ts'
import type { Job } from './engine/job.ts'
import { onCalendar } from './engine/on-calendar.ts'
import { globBase } from './lib/path.ts'

const DEFAULT_STATE_DIR = '/var/lib/reeve'
const ALWAYS = 'CAP_DAC_READ_SEARCH'

/** What a job may do when it runs as configured. */
function phases(job: Job): Permissions[] {
  return [
    job.permissions.check,
    ...(job.mode === 'enforce' && job.permissions.apply ? [job.permissions.apply] : []),
  ]
}

function access(jobs: Job[]): { capabilities: string[]; writes: string[] } {
  const all = jobs.filter((job) => job.enabled && !job.refused).flatMap(phases)
  const capabilities = new Set([ALWAYS, ...all.flatMap(neededCapabilities)])
  const writes = new Set(
    all.flatMap(({ write = [], attributes = [] }) => [...write, ...attributes]).map(globBase),
  )
  return { capabilities: [...capabilities].sort(), writes: [...writes].sort() }
}

/** Lines for [Service] that open just what the jobs declare: the unit alone lets the daemon write nothing. */
function accessLines(jobs: Job[], stateDir: string): string[] {
  const { capabilities, writes } = access(jobs)
  // StateDirectory= opens the usual one.
  if (stateDir !== DEFAULT_STATE_DIR) writes.push(stateDir)
  return [
    `AmbientCapabilities=${capabilities.join(' ')}`,
    `CapabilityBoundingSet=${capabilities.join(' ')}`,
    // The unit takes these calls away: without the capability they are of no use anyway.
    ...(capabilities.includes('CAP_SETUID') ? ['SystemCallFilter=@setuid'] : []),
    // "-": a path that is not there yet must not keep the service from starting.
    ...writes.map((path) => `ReadWritePaths=-${path.replace(/[\s"'\\%]/g, escapeUnit)}`),
  ]
}

function escapeUnit(character: string): string {
  return character === '%' ? '%%' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** A drop-in for reeve.service with what the configured jobs need. */
export function daemonDropIn(jobs: Job[], stateDir = DEFAULT_STATE_DIR): string {
  return [
    '# Made by "reeve config unit" from the permissions that the jobs declare; made anew by install.sh.',
    '[Service]',
    ...accessLines(jobs, stateDir),
    '',
  ].join('\n')
}

export interface UnitFile {
  name: string
  content: string
}

/** A service and a timer for each scheduled job; each service may do just what its own job declares. */
export function timerUnits(jobs: Job[], binary: string, stateDir = DEFAULT_STATE_DIR): UnitFile[] {
  return jobs
    .filter((job) => job.enabled && !job.refused && job.schedule)
    .flatMap((job) => [
      { name: `reeve-${job.name}.service`, content: jobService(job, binary, stateDir) },
      { name: `reeve-${job.name}.timer`, content: jobTimer(job) },
    ])
}

/** Directives of the daemon's unit that make no sense for a run that ends. */
const DAEMON_ONLY =
  /^(Type|NotifyAccess|ExecStart|ExecReload|KillMode|WatchdogSec|WatchdogSignal|Restart\w*|TimeoutStopSec|AmbientCapabilities|CapabilityBoundingSet)=/

function jobService(job: Job, binary: string, stateDir: string): string {
  const hardening = (serviceUnit.split('[Service]')[1]?.split('[Install]')[0] ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !DAEMON_ONLY.test(line))
  return [
    '[Unit]',
    `Description=reeve: ${job.name} (${job.plugin.summary})`,
    'After=network-online.target local-fs.target',
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=${binary} run --timer ${job.name}`,
    // 3: findings. The run did its work; what it found is in the store and in the alerts.
    'SuccessExitStatus=3',
    `TimeoutStartSec=${Math.ceil(job.timeoutMs / 1000) + 60}`,
    'RuntimeDirectoryPreserve=yes',
    ...hardening,
    ...accessLines([job], stateDir),
    '',
  ].join('\n')
}

function jobTimer(job: Job): string {
  return [
    '[Unit]',
    `Description=reeve: when to run ${job.name}`,
    '',
    '[Timer]',
    ...onCalendar(job.schedule ?? '', job.timezone).map((event) => `OnCalendar=${event}`),
    `Persistent=${job.catchUp ? 'yes' : 'no'}`,
    'AccuracySec=1s',
    ...(job.jitterMs > 0 ? [`RandomizedDelaySec=${Math.round(job.jitterMs / 1000)}`] : []),
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ].join('\n')
}
