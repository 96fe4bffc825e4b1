import type { Finding } from '../../../agent/contract/mod.ts'
import type { Credential } from '../credential.ts'
import type { Sighting } from '../ledger.ts'
import { rules } from '../rules.ts'
import { quote } from '../text.ts'
import type { Exposure, Use } from '../use/look.ts'
import type { Process } from '../use/processes.ts'
import { iso, nameOf } from '../words.ts'

/** The start of a process is known to a second, and so is the time of boot. */
const TOLERANCE_MS = 2000

/** A unit that uses a credential, with how long its processes run. */
export interface User {
  unit: string
  running: number
  /** Of its processes; undefined when none runs. */
  oldestStartMs: number | undefined
  newestStartMs: number | undefined
}

/** Units that use a credential: the declared one, and those that name its file. Pure. */
export function usersOf(credential: Credential, use: Pick<Use, 'references' | 'processes'>): User[] {
  const { declaration, path, file } = credential
  const units = new Set<string>()
  if (declaration.service) units.add(fullName(declaration.service))
  if (file) for (const reference of use.references) if (reference.path === path) units.add(reference.unit)
  return [...units].sort().map((unit) => {
    const starts = use.processes
      .filter((process) => isOf(process, unit))
      .map(({ startedAtMs }) => startedAtMs)
    return {
      unit,
      running: starts.length,
      oldestStartMs: starts.length > 0 ? Math.min(...starts) : undefined,
      newestStartMs: starts.length > 0 ? Math.max(...starts) : undefined,
    }
  })
}

function fullName(service: string): string {
  return service.includes('.') ? service : `${service}.service`
}

/** A template, "worker@.service", stands for all its instances. */
function isOf({ unit }: Process, wanted: string): boolean {
  if (unit === undefined) return false
  if (unit === wanted) return true
  const [before, after] = wanted.split('@.')
  return after !== undefined && unit.startsWith(`${before}@`) && unit.endsWith(`.${after}`)
}

/**
 * A service of which every process is older than the value cannot have read it. Where any process is newer, as the
 * workers are after a reload, nothing is said. Pure.
 */
export function judgeLoaded(
  credential: Credential,
  sighting: Sighting | undefined,
  users: User[],
): Finding[] {
  const { declaration, file, subject } = credential
  if (!file || !sighting || declaration.reloads) return []
  const changedAtMs = sighting.setAtMs
  return users.flatMap(({ unit, newestStartMs }): Finding[] => {
    if (newestStartMs === undefined || newestStartMs + TOLERANCE_MS >= changedAtMs) return []
    return [
      {
        rule: 'credential-not-loaded',
        subject: `${subject} ${unit}`,
        severity: rules['credential-not-loaded'].severity,
        summary: `${nameOf(credential)} was changed after ${unit} was started: the service still uses the old one`,
        remedy: `systemctl restart ${quote(unit)}; or, where it reads the file again by itself, set reloads: true`,
        evidence: { unit, startedAt: iso(newestStartMs), changedAt: iso(changedAtMs) },
      },
    ]
  })
}

/** Secrets in command lines, which every user can see, and in histories, which are kept for ever. Pure. */
export function judgeExposures(exposures: Exposure[]): Finding[] {
  const places = Map.groupBy(exposures, ({ where, place, credential, option }) =>
    [where, place, credential?.subject ?? '', option ?? ''].join('\0'),
  )
  return [...places.values()].flatMap((same): Finding[] => {
    const [first] = same
    if (!first) return []
    const { where, place, credential, option, pid, line } = first
    const what = credential ? nameOf(credential) : `A secret (${option})`
    const evidence = {
      ...(pid === undefined ? {} : { pid }),
      ...(line === undefined ? {} : { line }),
      times: same.length,
      ...(credential ? { credential: credential.subject } : {}),
    }
    const subject = `${place} ${credential?.subject ?? option}`
    const severity = credential ? 'critical' : 'warning'
    if (where === 'arguments') {
      return [
        {
          rule: 'credential-in-arguments',
          subject,
          severity,
          summary: `${what} is in the command line of ${place}, which every user of this host can see`,
          remedy:
            'Give it to the program in a file or its environment (EnvironmentFile=, LoadCredential=), then rotate it',
          evidence,
          references: rules['credential-in-arguments'].references,
        },
      ]
    }
    return [
      {
        rule: 'credential-in-history',
        subject,
        severity: credential ? 'critical' : 'info',
        summary: `${what} is in the shell history ${place}`,
        remedy: `Remove the line from ${quote(place)}, and rotate the secret`,
        evidence,
        references: rules['credential-in-history'].references,
      },
    ]
  })
}
