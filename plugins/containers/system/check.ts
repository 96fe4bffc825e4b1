import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  formatDuration,
  type HostReader,
  shellWord,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { EngineSocket, EngineView } from '../engine/look.ts'
import { judgeInsecureRegistries, judgeOffers } from './judge-api.ts'
import { judgeMembers, judgeSocket, parseMembers } from './judge-socket.ts'
import {
  AUTH_LOG,
  DAEMON_SETTINGS,
  ENABLED_UNITS,
  type EngineProcess,
  findProcesses,
  findProgram,
  KEY_FILES,
  lookAtApi,
  readEnd,
} from './look.ts'
import { isOwnId, judgeSubordinates, parseSubordinates, type SubordinateRange } from './rootless.ts'
import { judgeSudoers, judgeSudoLog } from './sudo.ts'

const SUBORDINATES = ['/etc/subuid', '/etc/subgid']
const SUDOERS = ['/etc/sudoers', '/etc/sudoers.d/*']

export interface SystemView {
  findings: Finding[]
  blind: Blind[]
  isInstalled: boolean
  hasGroup: boolean
  rootlessUsers: string[]
}

/** The engines as programs of this host: who may command them, and as whom they run. */
export function checkSystem(
  { config, host, now }: CheckContext<Config>,
  sockets: EngineSocket[],
  engines: EngineView[],
  ofEngines: string[],
): SystemView {
  const findings: Finding[] = []
  const blind: Blind[] = []
  const darkFor = (rules: string[]) => (subject: string, reason: string) =>
    blind.push({ subject, reason, rules })
  const attempt = <T>(subject: string, rules: string[], action: () => T): T | undefined => {
    try {
      return action()
    } catch (error) {
      darkFor(rules)(subject, describeError(error))
      return undefined
    }
  }
  const processes = attempt('/proc', ['api-without-tls'], () => findProcesses(host)) ?? []
  const isInstalled =
    sockets.length > 0 ||
    processes.length > 0 ||
    ['docker', 'dockerd', 'podman'].some((name) => findProgram(host, name) !== undefined)

  for (const socket of sockets) {
    const names = { owner: host.userName(socket.entry.uid), group: host.groupName(socket.entry.gid) }
    findings.push(...judgeSocket(socket, names, config.socketGroup))
  }
  if (processes.some(({ name }) => name === 'dockerd') && sockets.length === 0) {
    darkFor(ofEngines)('docker', 'dockerd is running, but none of its sockets is in `sockets`')
  }

  const members = attempt('/etc/group', ['engine-group-member'], () =>
    host.stat('/etc/group')
      ? parseMembers(host.readText('/etc/group'), host.readText('/etc/passwd'), config.socketGroup)
      : undefined,
  )
  if (isInstalled && members) findings.push(...judgeMembers(members, config.socketGroup, config.members))

  const api = lookAtApi(host, processes)
  blind.push(...api.blind)
  findings.push(...judgeOffers(api.offers))
  const insecure = new Set([
    ...(api.settings?.['insecure-registries'] ?? []),
    ...engines.flatMap(({ info }) => insecureOf(info)),
  ])
  findings.push(...judgeInsecureRegistries([...insecure], DAEMON_SETTINGS))
  const keys = KEY_FILES.flatMap((pattern) => host.glob(pattern, darkFor(['api-key-open'])))
  findings.push(...keys.filter(({ type, mode }) => type === 'file' && (mode & 0o077) !== 0).map(openKey))

  if (config.rootless === 'required') findings.push(...judgeRootful(host, sockets, processes))
  const rootlessUsers = [...new Set([...config.users, ...sockets.flatMap(({ user }) => user ?? [])])]
  const ranges =
    rootlessUsers.length === 0
      ? []
      : SUBORDINATES.map((path) => ({
          path,
          ranges: attempt(path, ['subordinate-ids'], () =>
            host.stat(path) ? parseSubordinates(host.readText(path, { follow: true })) : [],
          ),
        }))
  for (const name of rootlessUsers) {
    for (const one of ranges) {
      if (one.ranges)
        findings.push(...judgeSubordinates(one.path, one.ranges, { name, uid: host.userId(name) }))
    }
  }
  if (rootlessUsers.length > 0) findings.push(...judgeHelpers(host))
  findings.push(...judgeBindOwners(host, engines, ranges[0]?.ranges ?? []))

  if (isInstalled) {
    for (const { path, type } of SUDOERS.flatMap((pattern) =>
      host.glob(pattern, darkFor(['engine-through-sudo'])),
    )) {
      // Names with a dot or a tilde are left out by sudo, too.
      if (type !== 'file' || (path !== '/etc/sudoers' && /[.~]/.test(path.slice('/etc/sudoers.d/'.length))))
        continue
      findings.push(
        ...(attempt(path, ['engine-through-sudo'], () => judgeSudoers(path, host.readText(path))) ?? []),
      )
    }
  }
  // Where sudo writes to the journal only, what was allowed is judged, and not what was done.
  if (rootlessUsers.length > 0 && host.stat(AUTH_LOG)) {
    const log = attempt(AUTH_LOG, ['engine-through-sudo'], () => readEnd(host, AUTH_LOG))
    findings.push(...judgeSudoLog(log ?? '', rootlessUsers))
  }
  if (config.scanReports.length > 0) {
    const reports = config.scanReports.flatMap((pattern) => host.glob(pattern, darkFor(['scan-overdue'])))
    findings.push(...judgeScans(reports, config, now.getTime()))
  }
  return { findings, blind, isInstalled, hasGroup: members !== undefined, rootlessUsers }
}

function insecureOf({ RegistryConfig }: EngineView['info']): string[] {
  const named = Object.entries(RegistryConfig?.IndexConfigs ?? {}).flatMap(([name, index]) =>
    index?.Secure === false ? [name] : [],
  )
  // Every Docker has its own loopback among them.
  return [
    ...named,
    ...(RegistryConfig?.InsecureRegistryCIDRs ?? []).filter((cidr) => !/^(127\.|::1)/.test(cidr)),
  ]
}

function openKey({ path, mode }: { path: string; mode: number }): Finding {
  return {
    rule: 'api-key-open',
    subject: path,
    severity: 'critical',
    summary: `${path}, a key for the API of the engine, can be opened by others than its owner`,
    remedy: `chmod 0600 ${shellWord(path)}`,
    evidence: { path, mode: `0${mode.toString(8)}` },
  }
}

function judgeRootful(host: HostReader, sockets: EngineSocket[], processes: EngineProcess[]): Finding[] {
  const finding = (subject: string, summary: string): Finding => ({
    rule: 'rootful-engine',
    subject,
    severity: 'warning',
    summary,
    remedy: 'systemctl disable --now docker.service docker.socket podman.socket\nrm -f /var/run/docker.sock',
    evidence: subject.startsWith('/') ? { path: subject } : {},
  })
  return [
    ...sockets
      .filter(({ user }) => user === undefined)
      .map(({ path }) => finding(path, `${path} is of an engine that runs as root`)),
    ...(processes.some(({ name, uid }) => name === 'dockerd' && uid === 0)
      ? [finding('dockerd', 'dockerd is running as root')]
      : []),
    ...ENABLED_UNITS.filter((path) => host.stat(path)).map((path) =>
      finding(path, `${path.slice(path.lastIndexOf('/') + 1)} starts an engine as root with the host`),
    ),
  ]
}

/** What maps the ids of a rootless container, and what gives it a network. */
function judgeHelpers(host: HostReader): Finding[] {
  const missing = (name: string, summary: string, install: string): Finding => ({
    rule: 'rootless-helper-missing',
    subject: name,
    severity: 'warning',
    summary,
    remedy: `apt-get install ${install}`,
  })
  const helpers = ['newuidmap', 'newgidmap'].flatMap((name): Finding[] => {
    const path = findProgram(host, name)
    if (path === undefined)
      return [missing(name, `${name} is missing: rootless containers have no users of their own`, 'uidmap')]
    const stat = host.statTarget(path)
    const isAble =
      ((stat?.mode ?? 0) & 0o4000) !== 0 || host.extendedAttributes(path).has('security.capability')
    return isAble
      ? []
      : [
          missing(
            name,
            `${path} has neither setuid nor capabilities, and cannot map users`,
            '--reinstall uidmap',
          ),
        ]
  })
  const hasNetwork = ['slirp4netns', 'pasta', 'passt'].some((name) => findProgram(host, name) !== undefined)
  const network = missing(
    'slirp4netns',
    'Neither slirp4netns nor pasta is there: rootless containers have no network, and cannot ping',
    'slirp4netns',
  )
  return [...helpers, ...(hasNetwork ? [] : [network])]
}

/** What a rootless container mounts belongs to its user, or to a user of its containers. */
function judgeBindOwners(host: HostReader, engines: EngineView[], ranges: SubordinateRange[]): Finding[] {
  return engines.flatMap(({ socket: { user }, containers }) => {
    const uid = user === undefined ? undefined : host.userId(user)
    if (user === undefined || uid === undefined) return []
    return containers.flatMap(({ settings }) =>
      settings.mounts.flatMap(({ source, readOnly }): Finding[] => {
        const stat = readOnly ? undefined : host.statTarget(source)
        if (!stat || isOwnId(stat.uid, uid, ranges, user)) return []
        return [
          {
            rule: 'bind-owner',
            subject: `${settings.subject}:${source}`,
            severity: 'info',
            summary: `${settings.subject} mounts ${source}, which is of ${host.userName(stat.uid)}, not of ${user} or its containers`,
            remedy: `chown ${shellWord(user)} ${shellWord(source)}`,
            evidence: { path: source, owner: host.userName(stat.uid) },
          },
        ]
      }),
    )
  })
}

function judgeScans(
  reports: { path: string; mtimeMs: number }[],
  { scanReports, scanMaxAge }: Pick<Config, 'scanReports' | 'scanMaxAge'>,
  nowMs: number,
): Finding[] {
  const [newest] = reports.toSorted((a, b) => b.mtimeMs - a.mtimeMs)
  const [pattern = ''] = scanReports
  const report = newest?.path ?? pattern.replaceAll(/\*+/g, 'images')
  if (newest && nowMs - newest.mtimeMs <= scanMaxAge) return []
  return [
    {
      rule: 'scan-overdue',
      subject: pattern || 'scan',
      severity: 'warning',
      summary: newest
        ? `The last scan of images is older than ${formatDuration(scanMaxAge)}: ${newest.path}`
        : 'There is no report of a scan of images',
      remedy: `trivy image --format json --output ${shellWord(report)} IMAGE`,
      evidence: { path: newest?.path ?? null },
    },
  ]
}
