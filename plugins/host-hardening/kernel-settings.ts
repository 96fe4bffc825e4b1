import type { Blind, Finding, HostReader } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { type Line, mergedLines, namesIn, textOf } from './host-files.ts'

const RULES = ['kernel-setting-weak', 'kernel-setting-loose', 'kernel-setting-not-kept']
/** Where systemd-sysctl and procps look, the first goes before (sysctl.d(5)). */
const DIRECTORIES = [
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
]
const REVERSE_PATH = 'net.ipv4.conf.*.rp_filter'

export interface Demand {
  key: string
  /** Values that are right. */
  accepts: string[]
  /** A loose one only makes attacks easier, and is the default of many systems. */
  isLoose: boolean
  /** What it is good for. */
  means: string
}

const demand = (key: string, accepts: (number | string)[], means: string, isLoose = false): Demand => ({
  key,
  accepts: accepts.map(String),
  isLoose,
  means,
})

/** The first that is accepted is what a remedy sets. */
const DEMANDS: Demand[] = [
  demand('kernel.randomize_va_space', [2], 'addresses of programs cannot be guessed'),
  demand('fs.protected_symlinks', [1], 'links in /tmp lead nobody astray'),
  demand('fs.protected_hardlinks', [1], 'nobody links what he cannot read'),
  demand('net.ipv4.tcp_syncookies', [1, 2], 'a flood of half-open connections does not shut others out'),
  demand(REVERSE_PATH, [1, 2], 'packets with a forged sender are dropped'),
  demand('kernel.dmesg_restrict', [1], 'the log of the kernel is for root', true),
  demand('kernel.kptr_restrict', [1, 2], 'addresses of the kernel do not show', true),
  demand(
    'kernel.yama.ptrace_scope',
    [1, 2, 3],
    'a program cannot read the memory of its user’s others',
    true,
  ),
  demand('fs.protected_fifos', [1, 2], 'pipes in /tmp cannot be put in another’s place', true),
  demand('fs.protected_regular', [2, 1], 'files in /tmp cannot be put in another’s place', true),
]

export const kernelSettings: Area = {
  subject: 'kernel settings',
  rules: RULES,
  check({ host, config, container }) {
    if (container) return notHere(RULES, `${container}: its host sets the kernel`)
    if (!host.stat('/proc/sys')) throw new Error('Cannot read "/proc/sys": there is none')
    const written = parseSysctl(mergedLines(host, DIRECTORIES))
    const findings: Finding[] = []
    const blind: Blind[] = []
    const demands = demandsOf(config.kernel)
    for (const one of demands) {
      const effective = one.key === REVERSE_PATH ? reversePath(host) : settingOf(host, one.key)
      if (effective === undefined) {
        const reason = 'this kernel has no such setting'
        if (!one.isLoose) blind.push({ subject: one.key, reason, rules: ['kernel-setting-weak'] })
        continue
      }
      findings.push(...judgeSetting(one, effective, lastOf(written, one.key)))
    }
    return { findings, blind, examined: demands.length }
  },
}

/** Pure: what is asked for anyway, and what the configuration says of it. */
export function demandsOf(more: Record<string, (number | string)[]>): Demand[] {
  const known = DEMANDS.filter(({ key }) => !(key in more))
  const own = Object.entries(more).flatMap(([key, accepts]) => {
    if (accepts.length === 0) return []
    const means = DEMANDS.find((one) => one.key === key)?.means ?? 'the configuration of this job asks for it'
    return [demand(key, accepts, means)]
  })
  return [...known, ...own]
}

function settingOf(host: HostReader, key: string): string | undefined {
  return textOf(host, `/proc/sys/${key.replaceAll('.', '/')}`)
    ?.trim()
    .replaceAll(/\s+/g, ' ')
}

/** The weakest of all interfaces: for each the larger of its own value and that of "all" counts (ip-sysctl). */
function reversePath(host: HostReader): string | undefined {
  const root = '/proc/sys/net/ipv4/conf'
  const value = (name: string) => Number(textOf(host, `${root}/${name}/rp_filter`)?.trim() ?? Number.NaN)
  const all = value('all')
  if (Number.isNaN(all)) return undefined
  const interfaces = namesIn(host, root).filter((name) => !['all', 'default', 'lo'].includes(name))
  // One that goes away meanwhile has no value any more.
  const values = interfaces.map(value).filter((own) => !Number.isNaN(own))
  const weakest = Math.min(...(values.length > 0 ? values : [value('default')]))
  return String(Math.max(all, weakest))
}

export interface Written extends Line {
  key: string
  value: string
}

/** Pure: the settings of sysctl.d(5) in the order in which they are made. */
export function parseSysctl(lines: readonly Line[]): Written[] {
  return lines.flatMap((line) => {
    const [, name, value] = /^-?\s*([^=\s#;][^=\s]*)\s*=\s*(.*)$/.exec(line.text) ?? []
    if (name === undefined || value === undefined) return []
    // With a slash as the first separator, slashes separate and dots are part of the names.
    const [separator] = /[./]/.exec(name) ?? []
    const key = separator === '/' ? name.replaceAll(/[./]/g, (one) => (one === '/' ? '.' : '/')) : name
    return [{ ...line, key, value: value.trim().replaceAll(/\s+/g, ' ') }]
  })
}

/** Pure: what will be in force after the next start, as far as files say so. A full name goes before patterns. */
export function lastOf(written: readonly Written[], key: string): Written | undefined {
  return written.findLast((one) => one.key === key) ?? written.findLast((one) => patternOf(one.key).test(key))
}

function patternOf(key: string): RegExp {
  const text = key.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^.]*')
  return new RegExp(`^${text}$`)
}

/** Pure: the value in force against what is right, and what the files say against that. */
export function judgeSetting(one: Demand, effective: string, written: Written | undefined): Finding[] {
  const [wanted = ''] = one.accepts
  const isRight = one.accepts.includes(effective)
  const isWrittenRight = written === undefined || one.accepts.includes(written.value)
  if (isRight && isWrittenRight) return []
  const place = written ? { path: written.path, line: written.line, written: written.value } : {}
  const accepted = one.accepts.join(' or ')
  const setting =
    one.key === REVERSE_PATH ? `net.ipv4.conf.all.rp_filter = ${wanted}` : `${one.key} = ${wanted}`
  // A file that is read later wins: the name is after those that begin with a number.
  const set = `echo '${setting}' > /etc/sysctl.d/zz-${one.key.replaceAll(/[^a-z0-9]+/g, '-')}.conf && sysctl --system`
  return [
    {
      rule: isRight
        ? 'kernel-setting-not-kept'
        : one.isLoose
          ? 'kernel-setting-loose'
          : 'kernel-setting-weak',
      subject: one.key,
      severity: one.isLoose ? 'info' : 'warning',
      summary: isRight
        ? `${one.key} is ${effective}, but the next start makes it ${written?.value} (${written?.path}:${written?.line})`
        : `${one.key} is ${effective}, wanted ${accepted}: ${one.means}`,
      remedy:
        !isRight && written && isWrittenRight
          ? `sysctl --system\nIt is right in ${written.path}, line ${written.line}, and not in force`
          : set,
      evidence: { value: effective, wanted: accepted, ...place },
      references: [one.key.startsWith('net.') ? 'CIS-3.3' : 'CIS-1.5'],
    },
  ]
}
