import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  type HostReader,
  type Inapplicable,
} from '../../agent/contract/mod.ts'
import type { Look } from './check.ts'
import { type Config, homeOf, type UnitDemands } from './config.ts'
import { UnitTree, userDirectories } from './files/unit-tree.ts'
import { judgeChanges, rememberFile } from './judge/changes.ts'
import { judgeExposure } from './judge/exposure.ts'
import { judgeUnit } from './judge/unit.ts'
import { exposures } from './live/exposure.ts'
import type { Properties } from './live/show.ts'
import { ANALYZE, SYSTEMCTL, showUnits } from './live/systemctl.ts'
import { LINGER, runningUserUnits } from './live/user-units.ts'
import { filesOf } from './look-at-files.ts'
import { meantNames, ownedUnit, systemUnit } from './meant.ts'
import { RUNNING_RULES, UNIT_RULES } from './rules.ts'
import { titleOf, type Unit } from './unit.ts'

interface Meant {
  demands: UnitDemands
  units: Unit[]
}

/** The units that the configuration names. Returns the rules that have nothing to judge. */
export async function checkUnits(context: CheckContext<Config>, look: Look): Promise<Inapplicable[]> {
  const { config, host } = context
  const owned = config.units.filter(({ owner }) => owner !== undefined)
  const meant = [
    ...(await systemUnits(context, look)),
    ...owned.map((demands) => ({ demands, units: userUnits(host, demands, look) })),
  ]
  for (const { demands, units } of meant) {
    for (const unit of units) {
      look.examined++
      look.blind.push(...unit.written.blind)
      look.findings.push(...judgeUnit(unit, demands), ...changesOf(host, unit, demands, look))
      look.facts.push(factOf(unit))
    }
  }
  await checkExposure(context, meant, look)
  return inapplicableOf(config, meant, look)
}

async function systemUnits({ config, host, signal }: CheckContext<Config>, look: Look): Promise<Meant[]> {
  const demanded = config.units.filter(({ owner }) => owner === undefined)
  const named = demanded.map((demands) => ({
    demands,
    names: meantNames(demands, look.tree, look.loaded?.keys() ?? []),
  }))
  const names = [...new Set(named.flatMap(({ names }) => names))]
  let asked: ReadonlyMap<string, Properties> | undefined
  if (look.loaded && names.length > 0) {
    const answer = await showUnits(host, names, signal)
    if ('value' in answer) asked = byEveryName(answer.value)
    else look.blind.push({ subject: SYSTEMCTL, reason: answer.reason, rules: [...UNIT_RULES] })
  }
  return named.map(({ demands, names }) => ({
    demands,
    units: orMissing(demands, names, look.tree, look).flatMap((name) => {
      const unit = systemUnit(name, look.tree.read(name), asked?.get(name))
      return unit.load === 'not-found' && demands.missing === 'ok' ? [] : [unit]
    }),
  }))
}

/** A pattern, or a text of a command, that no unit has. */
function orMissing(
  { unit, command, missing, owner }: UnitDemands,
  names: string[],
  tree: UnitTree,
  look: Look,
): string[] {
  if (names.length > 0 || missing === 'ok' || tree.blind.length > 0) return names
  const what = command === undefined ? `${unit}` : `a unit whose ExecStart= has "${command}"`
  const subject = `${owner ? `${owner}: ` : ''}${unit ?? command}`
  look.findings.push({
    rule: 'unit-missing',
    subject,
    severity: 'warning',
    summary: `There is no unit ${owner ? `of ${owner} ` : ''}like ${what}`,
    remedy: 'Install what brings it, or take the entry out of `units`',
  })
  return []
}

function byEveryName(units: ReadonlyMap<string, Properties>): Map<string, Properties> {
  return new Map(
    [...units].flatMap(([id, properties]) =>
      [id, ...(properties.get('Names') ?? '').split(' ')].map((name) => [name, properties] as const),
    ),
  )
}

/** Units of a user's own manager, by files and control groups. */
function userUnits(host: HostReader, demands: UnitDemands, look: Look): Unit[] {
  const name = demands.owner ?? ''
  const home = homeOf(demands)
  const dark = (subject: string, reason: string, rules: readonly string[] = UNIT_RULES) =>
    look.blind.push({ subject, reason, rules: [...rules] })
  const uid = host.userId(name)
  if (uid === undefined) {
    if (demands.missing === 'finding') look.findings.push(missingUser(name))
    return []
  }
  const listed = host.homes().get(name)
  if (listed !== undefined && listed !== home)
    dark(name, `the home directory of ${name} is ${listed}: set \`home\` to it, so that it may be read`)
  const tree = new UnitTree(host, userDirectories(home))
  for (const { subject, reason } of tree.blind) dark(subject, reason)
  let running: ReturnType<typeof runningUserUnits>
  if (look.isRunning) {
    try {
      running = runningUserUnits(host, uid)
    } catch (error) {
      dark(name, describeError(error), RUNNING_RULES)
      return []
    }
  }
  const units = orMissing(demands, meantNames(demands, tree, running?.keys() ?? []), tree, look).flatMap(
    (unit) => {
      const state = look.isRunning
        ? (running?.get(unit) ?? {
            state: 'inactive',
            mainPid: 0,
            startedMs: undefined,
            changedMs: undefined,
          })
        : undefined
      const made = ownedUnit(unit, tree.read(unit), { name, home }, state)
      // Where a directory could not be looked into it may be there: that is blind already.
      return made.load === 'not-found' && (demands.missing === 'ok' || tree.blind.length > 0) ? [] : [made]
    },
  )
  if (units.some(({ load }) => load === 'loaded')) look.findings.push(...judgeLinger(host, name, look.blind))
  return units
}

function missingUser(name: string): Finding {
  return {
    rule: 'unit-missing',
    subject: name,
    severity: 'warning',
    summary: `There is no user ${name} who could have units`,
    remedy: `Make the user, or take the entry out of \`units\``,
  }
}

function judgeLinger(host: HostReader, user: string, blind: Blind[]): Finding[] {
  try {
    if (host.stat(`${LINGER}/${user}`)) return []
  } catch (error) {
    blind.push({ subject: user, reason: describeError(error), rules: ['no-linger'] })
    return []
  }
  return [
    {
      rule: 'no-linger',
      subject: user,
      severity: 'warning',
      summary: `Units of ${user} start when ${user} logs in and stop at the logout: lingering is off`,
      remedy: `loginctl enable-linger '${user}'`,
    },
  ]
}

function changesOf(host: HostReader, unit: Unit, demands: UnitDemands, look: Look): Finding[] {
  const remembered = [...filesOf(host, unit, demands, look.blind)].map(
    ([path, stat]) => [path, rememberFile(look.before.files[path], stat)] as const,
  )
  for (const [path, memory] of remembered) look.after.files[path] = memory
  const { running } = unit
  if (running?.state === 'active' && running.startedMs === undefined) {
    const reason = 'nobody may tell when it was started'
    look.blind.push({ subject: titleOf(unit), reason, rules: ['change-not-loaded'] })
  }
  return judgeChanges(unit, new Map(remembered), demands.loadedBy)
}

async function checkExposure(
  { host, signal }: CheckContext<Config>,
  meant: Meant[],
  look: Look,
): Promise<void> {
  if (!look.isRunning) return // Told as not applicable.
  const limits = new Map(
    meant.flatMap(({ demands, units }) =>
      demands.exposure === undefined
        ? []
        : units
            .filter(({ load, name }) => load === 'loaded' && name.endsWith('.service'))
            .map((unit) => [unit, demands.exposure ?? 10] as const),
    ),
  )
  if (limits.size === 0) return
  const rules = ['unit-exposure']
  const ofSystem = [...limits.keys()].filter(({ owner }) => owner === undefined)
  for (const unit of limits.keys()) {
    if (unit.owner)
      look.blind.push({
        subject: titleOf(unit),
        reason: 'systemd-analyze tells the exposure of a unit of a user to that user only',
        rules,
      })
  }
  if (ofSystem.length === 0) return
  const answer = await exposures(
    host,
    ofSystem.map(({ name }) => name),
    signal,
  )
  for (const unit of ofSystem) {
    const level = 'value' in answer ? answer.value.get(unit.name) : undefined
    const subject = titleOf(unit)
    if (level === undefined) {
      const reason = 'reason' in answer ? answer.reason : 'it says nothing of this unit'
      look.blind.push({ subject, reason: `${ANALYZE}: ${reason}`, rules })
    } else look.findings.push(...judgeExposure(subject, level, limits.get(unit) ?? 10))
  }
}

function inapplicableOf(config: Config, meant: Meant[], look: Look): Inapplicable[] {
  if (config.units.length > 0 && meant.every(({ units }) => units.length === 0)) {
    const hasFinding = look.findings.some(({ rule }) => rule === 'unit-missing')
    const reason = 'there is none of the units'
    return UNIT_RULES.filter((rule) => !hasFinding || rule !== 'unit-missing').map((rule) => ({
      rule,
      reason,
    }))
  }
  if (look.isRunning || config.units.length === 0) return []
  const reason = 'systemd does not run here'
  return RUNNING_RULES.map((rule) => ({ rule, reason }))
}

function factOf(unit: Unit) {
  const { enablement, running, settings, load, owner } = unit
  return {
    kind: 'unit',
    subject: titleOf(unit),
    data: {
      state: running?.state ?? null,
      load,
      enablement,
      user: settings.get('User')?.value || (owner?.name ?? null),
      path: unit.written.path ?? null,
      started: running?.startedMs === undefined ? null : new Date(running.startedMs).toISOString(),
    },
  }
}
