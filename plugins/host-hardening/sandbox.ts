import { type Finding, formatDuration, type HostReader, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import type { Config } from './config.ts'
import { namesIn, textOf } from './host-files.ts'

const PROGRAMS = ['/usr/local/bin/bwrap', '/usr/bin/bwrap', '/bin/bwrap']
const APPARMOR = '/etc/apparmor.d'

export interface SandboxReadiness {
  /** Path of bubblewrap; undefined: it is not on PATH. */
  program: string | undefined
  /** It is setuid root, and needs nobody's namespaces. */
  isSetuid: boolean
  /** user.max_user_namespaces; undefined: the kernel has none. */
  maxNamespaces: number | undefined
  /** kernel.unprivileged_userns_clone (Debian's kernels); undefined elsewhere. */
  unprivileged: string | undefined
  /** kernel.apparmor_restrict_unprivileged_userns (Ubuntu's); undefined elsewhere. */
  restricted: string | undefined
  /** An AppArmor profile that lets bubblewrap have namespaces. */
  profile: string | undefined
}

export const sandbox: Area = {
  subject: 'sandbox',
  rules: ['sandbox-unavailable', 'sandbox-not-proven'],
  check({ host, config, nowMs }) {
    if (!config.sandbox.required) return notHere(this.rules, 'no service of this host needs one')
    const readiness = readinessOf(host)
    return {
      findings: [
        ...judgeSandbox(readiness),
        ...judgeProof(config.sandbox, provenMs(host, config.sandbox), nowMs),
      ],
      inapplicable: config.sandbox.proof
        ? []
        : [{ rule: 'sandbox-not-proven', reason: 'no file is named that proves it' }],
      facts: [{ kind: 'sandbox', subject: readiness.program ?? 'bwrap', data: factOf(readiness) }],
      examined: 1,
    }
  },
}

function provenMs(host: HostReader, { proof }: Config['sandbox']): number | undefined {
  return proof === undefined ? undefined : host.statTarget(proof)?.mtimeMs
}

/** Pure: whether the service user has made a sandbox of late. */
export function judgeProof(
  { proof, proofMaxAge }: Pick<Config['sandbox'], 'proof' | 'proofMaxAge'>,
  atMs: number | undefined,
  nowMs: number,
): Finding[] {
  if (proof === undefined || (atMs !== undefined && nowMs - atMs <= proofMaxAge)) return []
  const last = atMs === undefined ? 'never' : `last on ${new Date(atMs).toISOString().slice(0, 10)}`
  return [
    {
      rule: 'sandbox-not-proven',
      subject: proof,
      severity: 'warning',
      summary: `That a sandbox can be made here was ${last} proven, wanted every ${formatDuration(proofMaxAge)}`,
      remedy: `As the user of the service, by a timer of its own: bwrap --unshare-user --ro-bind / / true && touch ${shellWord(proof)}`,
      evidence: { path: proof },
      references: ['NIST-CSF-PR.PT-3'],
    },
  ]
}

/** What is known of this host. Throws when it cannot be read. */
export function readinessOf(host: HostReader): SandboxReadiness {
  const program = PROGRAMS.find((path) => (host.statTarget(path)?.mode ?? 0) & 0o001)
  const stat = program === undefined ? undefined : host.statTarget(program)
  const maximum = textOf(host, '/proc/sys/user/max_user_namespaces')?.trim()
  const restricted = textOf(host, '/proc/sys/kernel/apparmor_restrict_unprivileged_userns')?.trim()
  return {
    program,
    isSetuid: stat !== undefined && (stat.mode & 0o4000) !== 0 && stat.uid === 0,
    maxNamespaces: maximum === undefined ? undefined : Number(maximum),
    unprivileged: textOf(host, '/proc/sys/kernel/unprivileged_userns_clone')?.trim(),
    restricted,
    profile: restricted === '1' ? profileOf(host) : undefined,
  }
}

function profileOf(host: HostReader): string | undefined {
  return namesIn(host, APPARMOR)
    .map((name) => `${APPARMOR}/${name}`)
    .find((path) => host.stat(path)?.type === 'file' && allowsNamespaces(textOf(host, path) ?? ''))
}

/** Pure: whether an AppArmor profile is for bubblewrap and lets it make user namespaces (or all that it wants). */
export function allowsNamespaces(text: string): boolean {
  const code = text.replaceAll(/^\s*#(?!include).*$/gm, '')
  return (
    /(^|[\s"{,])(\/usr)?\/bin\/(\{[^}]*\bbwrap\b[^}]*\}|bwrap)/m.test(code) &&
    /^\s*(allow\s+)?userns\b|flags=\([^)]*unconfined/m.test(code)
  )
}

function factOf({ program, maxNamespaces, unprivileged, restricted, profile }: SandboxReadiness) {
  return {
    program: program ?? null,
    maxNamespaces: maxNamespaces ?? null,
    unprivileged: unprivileged ?? null,
    apparmorRestricts: restricted ?? null,
    apparmorProfile: profile ?? null,
  }
}

/** Pure: why a service cannot have a sandbox here. */
export function judgeSandbox(readiness: SandboxReadiness): Finding[] {
  const { program, isSetuid, maxNamespaces, unprivileged, restricted, profile } = readiness
  const report = (subject: string, summary: string, remedy: string): Finding => ({
    rule: 'sandbox-unavailable',
    subject,
    severity: 'warning',
    summary,
    remedy,
    evidence: factOf(readiness),
    references: ['NIST-CSF-PR.PT-3'],
  })
  const findings: Finding[] = []
  if (program === undefined) {
    const remedy = 'apt-get install bubblewrap\nOr where that is the package manager: dnf install bubblewrap'
    findings.push(report('bubblewrap', 'bubblewrap (bwrap) is not on the PATH', remedy))
  }
  if (isSetuid) return findings
  if (maxNamespaces === undefined || maxNamespaces === 0) {
    const remedy =
      "echo 'user.max_user_namespaces = 15000' > /etc/sysctl.d/zz-user-namespaces.conf && sysctl --system"
    const what = maxNamespaces === 0 ? 'user.max_user_namespaces is 0' : 'this kernel has no user namespaces'
    findings.push(report('user.max_user_namespaces', `No user namespace can be made: ${what}`, remedy))
  }
  if (unprivileged === '0') {
    findings.push(
      report(
        'kernel.unprivileged_userns_clone',
        'Only root may make user namespaces: kernel.unprivileged_userns_clone is 0',
        "echo 'kernel.unprivileged_userns_clone = 1' > /etc/sysctl.d/zz-userns-clone.conf && sysctl --system",
      ),
    )
  }
  if (restricted === '1' && profile === undefined) {
    findings.push(
      report(
        'kernel.apparmor_restrict_unprivileged_userns',
        'AppArmor keeps programs without a profile from user namespaces, and bwrap has none',
        `printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\\n  userns,\\n}\\n' > ${APPARMOR}/bwrap && apparmor_parser -r ${APPARMOR}/bwrap`,
      ),
    )
  }
  return findings
}
