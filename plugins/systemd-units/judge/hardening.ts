import { type Finding, isWithin } from '../../../agent/contract/mod.ts'
import type { UnitDemands } from '../config.ts'
import { splitWords } from '../files/parse-unit.ts'
import type { Settings } from '../files/settings.ts'

interface Demand {
  directive: string
  accepts: string[]
  /** What to write. */
  write: string
  /** What it is good for, after "so that". */
  why: string
}

const YES = ['yes']

/** The directives of systemd.exec(5) that a service of the network can have. */
const STANDARD: Demand[] = [
  { directive: 'NoNewPrivileges', accepts: YES, write: 'yes', why: 'setuid programs give it no rights' },
  { directive: 'ProtectSystem', accepts: ['strict'], write: 'strict', why: 'it writes only where it has to' },
  { directive: 'ProtectHome', accepts: ['yes', 'tmpfs'], write: 'yes', why: 'it sees nobody’s home' },
  {
    directive: 'PrivateTmp',
    accepts: ['yes', 'disconnected'],
    write: 'yes',
    why: 'it shares no temporary files',
  },
  { directive: 'PrivateDevices', accepts: YES, write: 'yes', why: 'it opens no disks' },
  { directive: 'ProtectKernelTunables', accepts: YES, write: 'yes', why: 'it sets nothing of the kernel' },
  { directive: 'ProtectKernelModules', accepts: YES, write: 'yes', why: 'it loads no modules' },
  {
    directive: 'ProtectControlGroups',
    accepts: ['yes', 'private', 'strict'],
    write: 'yes',
    why: 'it changes no limits',
  },
  {
    directive: 'RestrictAddressFamilies',
    accepts: ['AF_INET', 'AF_INET6', 'AF_UNIX'],
    write: 'AF_INET AF_INET6 AF_UNIX',
    why: 'rare protocols of the kernel are out of reach',
  },
  { directive: 'RestrictNamespaces', accepts: YES, write: 'yes', why: 'it makes no namespaces' },
  { directive: 'RestrictRealtime', accepts: YES, write: 'yes', why: 'it cannot starve the rest' },
  { directive: 'RestrictSUIDSGID', accepts: YES, write: 'yes', why: 'it leaves no setuid files' },
  { directive: 'MemoryDenyWriteExecute', accepts: YES, write: 'yes', why: 'data does not become code' },
  { directive: 'LockPersonality', accepts: YES, write: 'yes', why: 'its way to the kernel stays as it is' },
]

/** What holds where nothing is written, and `systemctl show` says nothing. */
const DEFAULTS: Record<string, string> = {
  RestrictAddressFamilies: '~',
  UMask: '0022',
  ProtectProc: 'default',
}

/** Pure: a finding for each directive that is weaker than wanted. */
export function judgeHardening(
  unit: string,
  settings: Settings,
  demands: NonNullable<UnitDemands['hardening']>,
  edit: (lines: string) => string,
): Finding[] {
  const wanted = new Map(
    (demands.set === 'standard' ? STANDARD : [])
      .filter(({ directive }) => !demands.except.some((name) => name === directive))
      .map((demand) => [demand.directive, demand]),
  )
  for (const [directive, accepts] of Object.entries(demands.values)) {
    const isList = directive === 'RestrictAddressFamilies'
    const write = (isList ? accepts.join(' ') : accepts[0]) ?? ''
    wanted.set(directive, { why: wanted.get(directive)?.why ?? 'it is as wanted', directive, accepts, write })
  }
  const findings = [...wanted.values()].flatMap(({ directive, accepts, write, why }): Finding[] => {
    const setting = settings.get(directive)
    const value = setting?.value || DEFAULTS[directive] || 'no'
    if (isRight(directive, value, accepts)) return []
    const resets = directive === 'RestrictAddressFamilies' && setting?.place ? `${directive}=\n` : ''
    return [
      {
        rule: 'unit-hardening',
        subject: `${unit} ${directive}`,
        severity: 'warning',
        summary: `${unit} has ${directive}=${shown(value)}, wanted ${write}, so that ${why}`,
        remedy: edit(`${resets}${directive}=${write}`),
        evidence: {
          unit,
          directive,
          value,
          wanted: write,
          path: setting?.place?.path ?? null,
          line: setting?.place?.line ?? null,
        },
      },
    ]
  })
  return [...findings, ...judgeWritable(unit, settings, demands.writable, edit)]
}

function isRight(directive: string, value: string, accepts: string[]): boolean {
  if (directive !== 'RestrictAddressFamilies') return accepts.includes(value)
  if (value.startsWith('~')) return false
  return value === 'none' || splitWords(value).every((family) => accepts.includes(family))
}

const shown = (value: string) => (value === '~' ? '(any)' : value)

/** Paths that it may write and that nobody listed. */
function judgeWritable(
  unit: string,
  settings: Settings,
  allowed: string[] | undefined,
  edit: (lines: string) => string,
): Finding[] {
  const setting = settings.get('ReadWritePaths')
  if (!allowed || !setting) return []
  const paths = splitWords(setting.value).map((word) => word.replace(/^[-+]{1,2}/, ''))
  const strange = paths.filter((path) => !allowed.some((one) => isWithin(one, path)))
  if (strange.length === 0) return []
  return [
    {
      rule: 'unit-hardening',
      subject: `${unit} ReadWritePaths`,
      severity: 'warning',
      summary: `${unit} may write ${strange.join(', ')}, wanted only ${allowed.join(', ')}`,
      remedy: edit(`ReadWritePaths=\nReadWritePaths=${allowed.join(' ')}`),
      evidence: {
        unit,
        directive: 'ReadWritePaths',
        value: setting.value,
        wanted: allowed.join(' '),
        path: setting.place?.path ?? null,
        line: setting.place?.line ?? null,
      },
    },
  ]
}
