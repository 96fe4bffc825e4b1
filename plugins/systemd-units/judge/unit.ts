import type { Finding } from '../../../agent/contract/mod.ts'
import type { UnitDemands } from '../config.ts'
import { assignmentsOf } from '../files/settings.ts'
import { editUnit, journalFor, systemctlFor, titleOf, type Unit } from '../unit.ts'
import { judgeHardening } from './hardening.ts'

/** Started with the host, or by what needs it: nothing that `enable` would have to do. */
const STARTED_AT_BOOT = new Set(['enabled', 'alias', 'static', 'indirect', 'generated'])
const ENABLED = new Set(['enabled', 'enabled-runtime', 'alias'])
const UP = new Set(['active', 'reloading', 'activating'])

/** Pure: what is wrong with a unit that the configuration names. */
export function judgeUnit(unit: Unit, demands: UnitDemands): Finding[] {
  if (unit.load === 'not-found') return [missing(unit)]
  // Told as blind.
  if (unit.load === 'unreadable') return []
  return [
    ...judgeLoad(unit),
    ...judgeActivity(unit, demands),
    ...(unit.load === 'masked' ? [] : judgeService(unit, demands)),
  ]
}

function missing(unit: Unit): Finding {
  return {
    rule: 'unit-missing',
    subject: titleOf(unit),
    severity: 'warning',
    summary: `There is no unit ${titleOf(unit)}`,
    remedy: `Install what brings ${unit.name}, or take it out of \`units\``,
  }
}

function judgeLoad(unit: Unit): Finding[] {
  if (unit.load === 'loaded' || unit.load === 'masked') return []
  const subject = titleOf(unit)
  const path = unit.written.path
  return [
    {
      rule: 'unit-broken',
      subject,
      severity: 'warning',
      summary: `${subject} cannot be loaded: ${unit.loadError ?? unit.load}`,
      remedy: `systemd-analyze verify '${path ?? unit.name}'`,
      evidence: { state: unit.load, path: path ?? null },
    },
  ]
}

function judgeActivity(unit: Unit, { active, enabled }: UnitDemands): Finding[] {
  const { name, enablement, running, load } = unit
  const subject = titleOf(unit)
  const act = systemctlFor(unit)
  const unmask = load === 'masked' ? `${act} unmask '${name}'\n` : ''
  const state = running ? `it is ${running.state}` : ''
  const evidence = { state: running?.state ?? null, enablement }
  const findings: Finding[] = []
  const add = (rule: string, summary: string, remedy: string) =>
    findings.push({ rule, subject, severity: 'warning', summary, remedy, evidence })
  const isUp = running && UP.has(running.state)
  if (active === true && running && !isUp)
    add(
      'unit-not-running',
      `${subject} does not run: ${state}`,
      `${unmask}${act} start '${name}'\n${journalFor(unit)}`,
    )
  if (enabled === true && !STARTED_AT_BOOT.has(enablement))
    add(
      'unit-not-enabled',
      `${subject} is not started with the host: it is ${enablement}`,
      `${unmask}${act} enable '${name}'`,
    )
  const isOn = active === false && isUp
  const isEnabled = enabled === false && ENABLED.has(enablement)
  if (isOn || isEnabled) {
    const how = [...(isOn ? ['runs'] : []), ...(isEnabled ? ['is started with the host'] : [])].join(' and ')
    add(
      'unit-unwanted',
      `${subject} ${how}, which it is not to`,
      `${act} disable${isOn ? ' --now' : ''} '${name}'`,
    )
  }
  return findings
}

function judgeService(unit: Unit, demands: UnitDemands): Finding[] {
  const { hardening } = demands
  return [
    ...judgeUser(unit, demands),
    ...(hardening
      ? judgeHardening(titleOf(unit), unit.settings, hardening, (lines) => editUnit(unit, lines))
      : []),
    ...judgeCoreDumps(unit, demands),
    ...judgeReload(unit, demands),
  ]
}

function judgeUser(unit: Unit, { user, group }: UnitDemands): Finding[] {
  const { settings, owner } = unit
  const subject = titleOf(unit)
  const findings: Finding[] = []
  const dynamic = settings.get('DynamicUser')?.value === 'yes'
  const standard = owner?.name ?? (dynamic ? '(its own)' : 'root')
  const runsAs = settings.get('User')?.value || standard
  const isRoot = runsAs === 'root' || runsAs === '0'
  if (user !== undefined && (user === '*' ? isRoot : runsAs !== user)) {
    const place = settings.get('User')?.place
    findings.push({
      rule: 'unit-user',
      subject,
      severity: isRoot ? 'critical' : 'warning',
      summary: `${subject} runs as ${runsAs}, wanted ${user === '*' ? 'another user than root' : user}`,
      remedy: editUnit(unit, `User=${user === '*' ? 'NAME' : user}`),
      evidence: { user: runsAs, path: place?.path ?? unit.written.path ?? null, line: place?.line ?? null },
    })
  }
  // Without Group= it is the user's own, which is named as the user where a service has one for itself.
  const runsIn = settings.get('Group')?.value || (runsAs === user ? group : undefined) || runsAs
  if (group !== undefined && runsIn !== group) {
    const place = settings.get('Group')?.place
    findings.push({
      rule: 'unit-user',
      subject: `${subject} group`,
      severity: 'warning',
      summary: `${subject} runs in the group ${runsIn}, wanted ${group}`,
      remedy: editUnit(unit, `Group=${group}`),
      evidence: { group: runsIn, path: place?.path ?? null, line: place?.line ?? null },
    })
  }
  return findings
}

/** "0" or "0:0"; systemd shows the hard limit as LimitCORE and the soft one as LimitCORESoft. */
function judgeCoreDumps(unit: Unit, { coreDumps }: UnitDemands): Finding[] {
  if (coreDumps !== false) return []
  const setting = unit.settings.get('LimitCORE')
  if (setting && /^0(:0)?$/.test(setting.value)) return []
  const subject = titleOf(unit)
  return [
    {
      rule: 'unit-core-dumps',
      subject,
      severity: 'warning',
      summary: `${subject} may leave core dumps: LimitCORE is ${setting?.value ?? 'not set'}`,
      remedy: editUnit(unit, 'LimitCORE=0'),
      evidence: {
        value: setting?.value ?? null,
        path: setting?.place?.path ?? null,
        line: setting?.place?.line ?? null,
      },
    },
  ]
}

function judgeReload(unit: Unit, { reload }: UnitDemands): Finding[] {
  if (reload === undefined) return []
  const [line] = assignmentsOf(unit.written.directives, 'Service', 'ExecReload')
  const isThere = line !== undefined || unit.settings.get('Type')?.value === 'notify-reload'
  if (isThere === (reload === 'possible')) return []
  const subject = titleOf(unit)
  const { name } = unit
  return [
    {
      rule: 'unit-reload',
      subject,
      severity: 'warning',
      summary: isThere
        ? `${subject} has ExecReload=, but its program reads nothing anew: a reload fails, or ends it`
        : `${subject} has no ExecReload=: "systemctl reload" fails`,
      remedy: isThere
        ? `${editUnit(unit, 'ExecReload=')}\n# and "systemctl restart ${name}" wherever something reloads it`
        : editUnit(unit, 'ExecReload=/bin/kill -HUP $MAINPID'),
      evidence: { path: line?.path ?? unit.written.path ?? null, line: line?.line ?? null },
    },
  ]
}
