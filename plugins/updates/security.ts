import { type Blind, type Finding, formatDuration, type HostReader, z } from '../../agent/contract/mod.ts'
import {
  isSecurity,
  knownAsOf,
  LISTS,
  type PackageList,
  readSources,
  type Source,
  SUCCESS_STAMP,
} from './apt-lists.ts'
import { type Area, notHere } from './area.ts'
import { DPKG_STATUS } from './packages.ts'
import { judgePending, PendingCollector, rememberPending } from './pending.ts'
import { StanzaReader } from './stanzas.ts'

export const APT_HELPER = '/usr/lib/apt/apt-helper'
const PENDING_RULES = ['security-update-pending', 'security-update-overdue']
const RULES = [...PENDING_RULES, 'lists-stale', 'no-security-source']
const CHUNK_BYTES = 1024 * 1024
/** Unpacked, of one list. Debian's main has 50 MB. */
const MAX_LIST_BYTES = 512 * 1024 * 1024

const memorySchema = z.object({ firstSeen: z.record(z.string(), z.number()) })

const OTHERS: [path: string, name: string][] = [
  ['/var/lib/rpm', 'RPM'],
  ['/usr/lib/sysimage/rpm', 'RPM'],
  ['/lib/apk/db/installed', 'apk'],
  ['/var/lib/pacman/local', 'pacman'],
]

export const securityUpdates: Area = {
  subject: 'package lists',
  rules: RULES,
  async check({ host, config, now, memory, signal }, packages) {
    if (config.updates === 'none') return notHere(RULES, 'pending updates are not looked at')
    const nowMs = now.getTime()
    const installed = packages()
    const before = memorySchema.safeParse(memory)
    const firstSeen = before.success ? before.data.firstSeen : {}
    if (!installed) {
      const other = OTHERS.find(([path]) => host.stat(path))?.[1]
      throw new Error(
        other
          ? `packages here are those of ${other}, whose lists reeve does not read: a \`command\` job can ask it`
          : `there is no ${DPKG_STATUS}, and no other list of packages that is known`,
      )
    }
    const sources = readSources(host)
    const wanted = config.updates === 'all' ? sources : sources.filter(isSecurity)
    const judged = judgeSources(sources, wanted, host.stat(SUCCESS_STAMP)?.mtimeMs, config.listsMaxAge, nowMs)
    // What an old list does not have is not to be taken for what there is not; the days are kept until it is known.
    const collector = new PendingCollector(installed)
    for (const list of wanted.flatMap(({ packages }) => packages)) {
      signal.throwIfAborted()
      await readList(host, list, (stanza) => collector.take(stanza), signal)
    }
    const pending = collector.result()
    const seen = rememberPending(pending, firstSeen, nowMs)
    const ages = Object.values(seen).map((atMs) => nowMs - atMs)
    return {
      findings: [...judged.findings, ...judgePending(pending, seen, config.securityGrace, nowMs)],
      blind: judged.blind,
      memory: { firstSeen: judged.blind.length > 0 ? { ...firstSeen, ...seen } : seen },
      metrics: [
        {
          name: 'security_updates_pending',
          value: pending.length,
          help: 'Packages with a pending security update',
        },
        {
          name: 'security_updates_oldest_seconds',
          value: Math.max(0, ...ages) / 1000,
          help: 'For how long the oldest of them is pending',
        },
      ],
      facts: wanted.map(({ path, suite, label, dateMs }) => ({
        kind: 'package-source',
        subject: path,
        data: { suite, label, date: dateMs === undefined ? null : new Date(dateMs).toISOString() },
      })),
      examined: installed.size,
    }
  },
}

/** Pure: what is wrong with the sources, and what can therefore not be told. */
export function judgeSources(
  all: readonly Source[],
  wanted: readonly Source[],
  successMs: number | undefined,
  maxAgeMs: number,
  nowMs: number,
): { findings: Finding[]; blind: Blind[] } {
  const rules = PENDING_RULES
  if (all.length === 0) {
    const reason = `there are no package lists in ${LISTS}: apt-get update`
    return {
      findings: [staleFinding(LISTS, 'There are no package lists')],
      blind: [{ subject: LISTS, reason, rules }],
    }
  }
  if (wanted.length === 0) {
    const finding: Finding = {
      rule: 'no-security-source',
      subject: LISTS,
      severity: 'critical',
      summary: `None of the ${all.length} package sources is one of security updates`,
      remedy:
        'Add the one of your release to /etc/apt/sources.list (Debian: deb http://security.debian.org/debian-security CODENAME-security main), then: apt-get update',
      evidence: {
        sources: all
          .map(({ origin, suite }) => `${origin} ${suite}`)
          .join(', ')
          .slice(0, 1000),
      },
      references: ['CIS-1.2'],
    }
    const reason = 'no source of security updates is known'
    return { findings: [finding], blind: [{ subject: LISTS, reason, rules }] }
  }
  const findings: Finding[] = []
  const blind: Blind[] = []
  for (const source of wanted) {
    const { path, packages } = source
    const ageMs = nowMs - knownAsOf(source, successMs, nowMs)
    if (packages.length === 0) {
      blind.push({ subject: path, reason: 'it has no list of packages: apt-get update', rules })
    } else if (ageMs > maxAgeMs) {
      const ages = `${source.suite || path} is known as of ${formatDuration(Math.floor(ageMs / 3_600_000) * 3_600_000)} ago`
      findings.push(staleFinding(path, `${ages}, wanted at most ${formatDuration(maxAgeMs)}`))
      blind.push({ subject: path, reason: `${ages}: newer updates would not show`, rules })
    }
  }
  return { findings, blind }
}

function staleFinding(subject: string, summary: string): Finding {
  return {
    rule: 'lists-stale',
    subject,
    severity: 'warning',
    summary,
    remedy: 'apt-get update\nWhen that fails: is the mirror reached, and is the release still supported?',
    references: ['CIS-1.2'],
  }
}

/** Every entry of a list, plain or compressed. */
async function readList(
  host: HostReader,
  { path, bytes }: PackageList,
  take: (stanza: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const reader = new StanzaReader(take)
  let total = 0
  const add = (chunk: Uint8Array) => {
    total += chunk.length
    if (total > MAX_LIST_BYTES)
      throw new Error(`Cannot read "${path}": it is larger than ${MAX_LIST_BYTES} bytes`)
    reader.add(chunk)
  }
  if (path.endsWith('_Packages')) {
    const file = host.open(path)
    try {
      const buffer = new Uint8Array(CHUNK_BYTES)
      for (let position = 0; ; ) {
        const count = file.read(buffer, position)
        if (count === 0) break
        add(buffer.subarray(0, count))
        position += count
      }
    } finally {
      file.close()
    }
  } else {
    // apt's own program knows every compression that apt writes.
    const real = host.root === '/' ? path : `${host.root}${path}`
    const child = host.start([APT_HELPER, 'cat-file', real], { signal })
    try {
      for await (const chunk of child.stdout) add(chunk)
    } catch (error) {
      child.kill()
      throw error
    }
    const { exitCode, stderr } = await child.ended
    if (exitCode !== 0)
      throw new Error(`Cannot read "${path}": ${stderr.trim().split('\n')[0] || `${APT_HELPER} failed`}`)
  }
  reader.end()
  if (bytes !== undefined && total !== bytes) {
    throw new Error(`Cannot read "${path}": it has ${total} bytes, its source says ${bytes}: apt-get update`)
  }
}
