import type { Finding } from '../../../agent/contract/mod.ts'
import type { ProcessDemands } from '../config.ts'
import type { Status } from '../parse-proc.ts'
import { listed, type Whereabouts } from '../whereabouts.ts'

/** A process that matches. */
export interface Seen {
  pid: number
  status: Status
  /** Soft limit on core dumps; undefined: not read. */
  coreLimit: string | undefined
  place: Whereabouts
  /** Names of its users: real, effective, saved, of the file system. */
  users: string[]
}

/** Pure: what is wrong with the processes that an entry of the configuration means. */
export function judgeDemands(demands: ProcessDemands, seen: readonly Seen[]): Finding[] {
  const { name, missing } = demands
  if (seen.length === 0) {
    if (missing === 'ok') return []
    return [
      {
        rule: 'process-missing',
        subject: name,
        severity: 'warning',
        summary: `No process of ${name} runs`,
        remedy: demands.unit
          ? `systemctl start '${demands.unit}'`
          : `Start ${name}, or take the entry out of \`processes\``,
      },
    ]
  }
  return [
    ...judgeUsers(demands, seen),
    ...judgeCapabilities(demands, seen),
    ...judgeCoreDumps(demands, seen),
    ...judgeConfinement(demands, seen),
  ]
}

function judgeUsers({ name, user }: ProcessDemands, seen: readonly Seen[]): Finding[] {
  if (user === undefined) return []
  const isRight = (one: Seen) =>
    user === '*' ? !one.status.uids.includes(0) : one.users.every((found) => found === user)
  const wrong = seen.filter((one) => !isRight(one))
  const asRoot = wrong.some(({ status }) => status.uids.includes(0))
  const found = listed([...new Set(wrong.flatMap(({ users }) => users))], 5)
  const wanted = user === '*' ? 'another user than root' : user
  return complaint('process-user', name, wrong, {
    severity: asRoot ? 'critical' : 'warning',
    summary: `${name} runs as ${found}, wanted ${wanted}`,
    remedy: (unit) => setting(unit, `User=${user === '*' ? 'NAME' : user}`),
    evidence: { users: found },
  })
}

function judgeCapabilities({ name, capabilities }: ProcessDemands, seen: readonly Seen[]): Finding[] {
  if (capabilities === undefined) return []
  const beyond = (one: Seen) => one.status.capabilities.filter((held) => !capabilities.includes(held))
  const wrong = seen.filter((one) => beyond(one).length > 0)
  const held = [...new Set(wrong.flatMap(beyond))]
  const lines = `CapabilityBoundingSet=${capabilities.join(' ')}\nNoNewPrivileges=yes`
  return complaint('process-capabilities', name, wrong, {
    severity: 'warning',
    summary: `${name} has ${listed(held, 4)}, wanted ${capabilities.length > 0 ? `only ${capabilities.join(', ')}` : 'no capabilities'}`,
    remedy: (unit) => setting(unit, lines),
    evidence: { beyond: held.join(', ') },
  })
}

function judgeCoreDumps({ name, coreDumps }: ProcessDemands, seen: readonly Seen[]): Finding[] {
  if (coreDumps !== false) return []
  const wrong = seen.filter(({ coreLimit }) => coreLimit !== '0')
  return complaint('process-core-dumps', name, wrong, {
    severity: 'warning',
    summary: `${name} may leave a core dump of ${wrong[0]?.coreLimit === 'unlimited' ? 'any size' : `${wrong[0]?.coreLimit} bytes`}`,
    remedy: (unit) => setting(unit, 'LimitCORE=0'),
    evidence: { limit: wrong[0]?.coreLimit ?? null },
  })
}

function judgeConfinement(demands: ProcessDemands, seen: readonly Seen[]): Finding[] {
  const { name } = demands
  const gains = demands.noNewPrivileges === true ? seen.filter(({ status }) => !status.noNewPrivileges) : []
  const unfiltered = demands.seccomp === true ? seen.filter(({ status }) => (status.seccomp ?? 0) === 0) : []
  return [
    ...complaint('process-unconfined', `${name} noNewPrivileges`, gains, {
      severity: 'warning',
      summary: `${name} may gain rights by setuid programs and file capabilities: no_new_privs is not set`,
      remedy: (unit) => setting(unit, 'NoNewPrivileges=yes'),
      evidence: {},
    }),
    ...complaint('process-unconfined', `${name} seccomp`, unfiltered, {
      severity: 'warning',
      summary: `${name} may make any system call: it has no filter`,
      remedy: (unit) => setting(unit, 'SystemCallFilter=@system-service\nSystemCallArchitectures=native'),
      evidence: {},
    }),
  ]
}

function complaint(
  rule: string,
  subject: string,
  wrong: readonly Seen[],
  about: Pick<Finding, 'severity' | 'summary' | 'evidence'> & { remedy: (place: Whereabouts) => string },
): Finding[] {
  const [first] = wrong
  if (!first) return []
  const { severity, summary, remedy, evidence } = about
  const processes = listed(
    wrong.map(({ pid }) => String(pid)),
    20,
  )
  const unit = first.place.unit ?? null
  return [
    {
      rule,
      subject,
      severity,
      summary,
      remedy: remedy(first.place),
      evidence: { ...evidence, processes, unit },
    },
  ]
}

/** The commands that give a unit these lines. */
function setting({ unit, owner }: Whereabouts, lines: string): string {
  if (unit === undefined || !unit.endsWith('.service') || owner !== undefined)
    return `Start it from a unit of systemd with:\n${lines}`
  const directory = `/etc/systemd/system/${unit}.d`
  return `mkdir -p '${directory}'\ncat >> '${directory}/zz-hardening.conf' <<'END'\n[Service]\n${lines}\nEND\nsystemctl daemon-reload && systemctl restart '${unit}'`
}
