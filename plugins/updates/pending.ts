import { type Finding, formatDuration } from '../../agent/contract/mod.ts'
import type { Installed } from './packages.ts'
import { field } from './stanzas.ts'
import { compareVersions } from './version.ts'

const DAY_MS = 86_400_000
/** An update that waits for longer is one that nobody will think of. */
const FORGOTTEN_MS = 30 * DAY_MS
const MAX_FINDINGS = 200

/** A package with a newer version in one of the sources. */
export interface Pending {
  name: string
  architecture: string
  source: string
  installed: string
  available: string
  isHeld: boolean
}

/** Collects from lists of packages what is newer than what is installed. */
export class PendingCollector {
  private readonly pending = new Map<string, Pending>()
  /** Packages seen in the lists. */
  seen = 0

  constructor(private readonly installed: Installed) {}

  take(stanza: string): void {
    const name = field(stanza, 'Package')
    if (name === undefined) return
    this.seen++
    const version = field(stanza, 'Version')
    const architecture = field(stanza, 'Architecture') ?? ''
    if (version === undefined) return
    for (const key of this.keysFor(name, architecture)) {
      const one = this.installed.get(key)
      if (!one || compareVersions(version, one.version) <= 0) continue
      const known = this.pending.get(key)
      if (known && compareVersions(version, known.available) <= 0) continue
      const { source, isHeld } = one
      this.pending.set(key, {
        name,
        architecture: one.architecture,
        source,
        installed: one.version,
        available: version,
        isHeld,
      })
    }
  }

  /** What is for all architectures may come in place of what was for one, and the other way round. */
  private keysFor(name: string, architecture: string): string[] {
    if (architecture !== 'all') return [`${name}:${architecture}`, `${name}:all`]
    return [`${name}:all`, ...this.foreign(name)]
  }

  private foreign(name: string): string[] {
    return this.architectures.map((architecture) => `${name}:${architecture}`)
  }

  private get architectures(): string[] {
    this.known ??= [...new Set([...this.installed.values()].map(({ architecture }) => architecture))].filter(
      (architecture) => architecture !== 'all',
    )
    return this.known
  }
  private known: string[] | undefined

  result(): Pending[] {
    return [...this.pending.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}

/** When each update was first seen, by "name version". It lives from run to run. */
export type FirstSeen = Record<string, number>

/** Pure: what is still pending keeps its day, what is new gets this one, what is done is forgotten. */
export function rememberPending(pending: readonly Pending[], before: FirstSeen, nowMs: number): FirstSeen {
  return Object.fromEntries(
    pending.map((one) => {
      const key = keyOf(one)
      // A newer fix for a package that has none yet does not make it wait for less long.
      const earlier = before[key]
      return [key, Math.min(earlier ?? nowMs, nowMs)]
    }),
  )
}

const keyOf = ({ name, architecture }: Pending) => `${name}:${architecture}`

/** Pure: a finding for each source package, since its packages are updated together. */
export function judgePending(
  pending: readonly Pending[],
  seen: FirstSeen,
  graceMs: number,
  nowMs: number,
): Finding[] {
  const sources = [...Map.groupBy(pending, ({ source }) => source)]
  const findings = sources.map(([source, packages]): Finding => {
    const ageMs = nowMs - Math.min(...packages.map((one) => seen[keyOf(one)] ?? nowMs))
    const isOverdue = ageMs > graceMs
    const [first] = packages
    const names = [...new Set(packages.map(({ name }) => name))]
    const held = packages.filter(({ isHeld }) => isHeld).map(({ name }) => name)
    const few = names.slice(0, 5).join(' ')
    const what =
      names.length > 1 || names[0] !== source ? `${source} (${few}${names.length > 5 ? ' …' : ''})` : source
    return {
      rule: isOverdue ? 'security-update-overdue' : 'security-update-pending',
      subject: source,
      severity: isOverdue ? (ageMs > FORGOTTEN_MS ? 'critical' : 'warning') : 'info',
      summary: `A security update of ${what} is pending${isOverdue ? ` for ${formatDuration(wholeDays(ageMs))}` : ''}: ${first?.installed} → ${first?.available}${held.length > 0 ? '; it is on hold' : ''}`,
      remedy: `${held.length > 0 ? `apt-mark unhold ${held.join(' ')} && ` : ''}apt-get install --only-upgrade ${names.join(' ')}`,
      evidence: {
        packages: names.slice(0, 50).join(' '),
        installed: first?.installed ?? null,
        available: first?.available ?? null,
        firstSeen: new Date(nowMs - ageMs).toISOString().slice(0, 10),
        held: held.length > 0,
      },
      references: ['OWASP-A06:2021', 'CIS-1.2', 'NIST-CSF-PR.IP-12'],
    }
  })
  // Those that wait for longest first: of very many the list is cut.
  const rank = (finding: Finding) => ['critical', 'warning', 'info'].indexOf(finding.severity)
  const ordered = findings.toSorted((a, b) => rank(a) - rank(b))
  if (ordered.length <= MAX_FINDINGS) return ordered
  const rest = ordered.slice(MAX_FINDINGS)
  const isOverdue = rest.some(({ rule }) => rule === 'security-update-overdue')
  return [
    ...ordered.slice(0, MAX_FINDINGS),
    {
      rule: isOverdue ? 'security-update-overdue' : 'security-update-pending',
      subject: 'further packages',
      severity: isOverdue ? 'warning' : 'info',
      summary: `There are security updates of ${rest.length} further packages`,
      remedy: 'apt-get upgrade',
      references: ['OWASP-A06:2021'],
    },
  ]
}

function wholeDays(ageMs: number): number {
  return Math.max(DAY_MS, Math.floor(ageMs / DAY_MS) * DAY_MS)
}
