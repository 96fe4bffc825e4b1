import { type Finding, type HostReader, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { type Line, linesOf, mergedLines, textOf } from './host-files.ts'

const RULES = ['core-dumps-kept', 'core-pattern-open', 'setuid-core-dumps']
/** Where systemd and distributions keep core dumps. */
export const STORES = ['/var/lib/systemd/coredump', '/var/crash', '/var/lib/apport/coredump']
const ELF_CORE = 4
const MAX_FILES = 100

export interface CoreSettings {
  pattern: string
  suidDumpable: string
  /** Of systemd-coredump, with its place; undefined where it is not what takes the dumps. */
  storage: { value: string; place: Line | undefined } | undefined
  /** By default a service, and by limits.conf a login, writes no dump to a file. */
  isLimited: boolean
  /** What the kernel hands a dump to, or the directory that it writes it to. */
  target: { path: string; mode: number } | undefined
}

export const coreDumps: Area = {
  subject: 'core dumps',
  rules: RULES,
  check({ host, config, container }) {
    if (config.coreDumps === 'any') return notHere(RULES, 'core dumps may be as they are')
    if (container) return notHere(RULES, `${container}: its host decides about core dumps`)
    const pattern = demanded(host, '/proc/sys/kernel/core_pattern')
    const suidDumpable = demanded(host, '/proc/sys/fs/suid_dumpable')
    const path = pattern.startsWith('|') ? (pattern.slice(1).split(' ')[0] ?? '') : directoryOf(pattern)
    const stat = path.startsWith('/') ? host.statTarget(path) : undefined
    const settings: CoreSettings = {
      pattern,
      suidDumpable,
      storage: /^\|\S*systemd-coredump(\s|$)/.test(pattern) ? coredumpStorage(host) : undefined,
      isLimited: isLimited(host),
      target: stat && { path, mode: stat.mode },
    }
    return {
      findings: judgeCoreDumps(settings, config.coreDumps),
      facts: [
        {
          kind: 'core-dumps',
          subject: 'kernel.core_pattern',
          data: { pattern, suidDumpable, storage: settings.storage?.value ?? null },
        },
      ],
      examined: 2,
    }
  },
}

function demanded(host: HostReader, path: string): string {
  const text = textOf(host, path)
  if (text === undefined) throw new Error(`Cannot read "${path}": there is none`)
  return text.trim()
}

function directoryOf(pattern: string): string {
  const end = pattern.lastIndexOf('/')
  return end < 0 ? '' : pattern.slice(0, end) || '/'
}

function coredumpStorage(host: HostReader): CoreSettings['storage'] {
  const lines = mergedLines(
    host,
    ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd/coredump.conf.d`),
    ['/etc/systemd/coredump.conf'],
  )
  const place = lastSetting(lines, 'Storage')
  return { value: (place && settingOf(place)) || 'external', place }
}

/** The last line "key=value" of a key. Pure. */
function lastSetting(lines: readonly Line[], key: string): Line | undefined {
  return lines.findLast(({ text }) => new RegExp(`^${key}\\s*=`).test(text))
}

function settingOf({ text }: Line): string {
  return text
    .slice(text.indexOf('=') + 1)
    .trim()
    .toLowerCase()
}

/** Files are not written when the hard limit is 0 for services (systemd) and for logins (PAM) alike. */
function isLimited(host: HostReader): boolean {
  const system = mergedLines(
    host,
    ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd/system.conf.d`),
    ['/etc/systemd/system.conf'],
  )
  const setting = lastSetting(system, 'DefaultLimitCORE')
  const limits = mergedLines(host, ['/etc/security/limits.d'])
  const main = linesOf('/etc/security/limits.conf', textOf(host, '/etc/security/limits.conf') ?? '')
  const forAll = [...main, ...limits].findLast(({ text }) => /^\*\s+(hard|-)\s+core\s+/.test(text))
  return (
    setting !== undefined &&
    ['0', '0:0'].includes(settingOf(setting)) &&
    /\score\s+0$/.test(forAll?.text ?? '')
  )
}

/** Pure: what is wrong with how core dumps are taken. */
export function judgeCoreDumps(settings: CoreSettings, wanted: 'protected' | 'none'): Finding[] {
  const { pattern, suidDumpable, target } = settings
  const isPipe = pattern.startsWith('|')
  const findings: Finding[] = []
  const report = (
    rule: string,
    severity: Finding['severity'],
    summary: string,
    remedy: string,
    place?: Line,
  ) =>
    findings.push({
      rule,
      subject: rule === 'setuid-core-dumps' ? 'fs.suid_dumpable' : 'kernel.core_pattern',
      severity,
      summary,
      remedy,
      evidence: { pattern, ...(place ? { path: place.path, line: place.line } : {}) },
      references: ['CIS-1.5', 'CWE-528'],
    })
  if (target && (target.mode & (isPipe ? 0o002 : 0o006)) !== 0) {
    report(
      'core-pattern-open',
      isPipe ? 'critical' : 'warning',
      isPipe
        ? `Everybody can write ${target.path}, which the kernel starts as root for each core dump`
        : `Core dumps go to ${target.path}, which everybody can ${target.mode & 0o002 ? 'write' : 'read'}`,
      isPipe
        ? `chown root:root ${shellWord(target.path)} && chmod go-w ${shellWord(target.path)}\nFind out who has written to it`
        : `install -d -m 0700 /var/lib/cores && echo 'kernel.core_pattern = /var/lib/cores/core.%p' > /etc/sysctl.d/zz-core-dumps.conf && sysctl --system`,
    )
  }
  const isSafe2 = suidDumpable === '2' && (isPipe || pattern.startsWith('/'))
  if (suidDumpable !== '0' && !(isSafe2 && wanted === 'protected')) {
    report(
      'setuid-core-dumps',
      suidDumpable === '1' ? 'critical' : 'warning',
      `Programs that changed their user leave core dumps: fs.suid_dumpable is ${suidDumpable}, wanted 0`,
      `echo 'fs.suid_dumpable = 0' > /etc/sysctl.d/zz-core-dumps-setuid.conf && sysctl --system`,
    )
  }
  if (wanted === 'none' && isKept(settings)) {
    const { storage } = settings
    report(
      'core-dumps-kept',
      'warning',
      storage
        ? `systemd-coredump keeps core dumps: Storage is ${storage.value}${storage.place ? ` (${storage.place.path}:${storage.place.line})` : ', by its default'}, wanted none`
        : `Core dumps are kept: kernel.core_pattern is "${pattern}"`,
      storage
        ? `mkdir -p /etc/systemd/coredump.conf.d && printf '[Coredump]\\nStorage=none\\nProcessSizeMax=0\\n' > /etc/systemd/coredump.conf.d/zz-none.conf`
        : `echo 'kernel.core_pattern = |/bin/false' > /etc/sysctl.d/zz-core-dumps.conf && sysctl --system`,
      storage?.place,
    )
  }
  return findings
}

function isKept({ pattern, storage, isLimited }: CoreSettings): boolean {
  if (storage) return storage.value !== 'none'
  if (pattern.startsWith('|')) return !/^\|\S*\/(false|true)(\s|$)/.test(pattern)
  return pattern !== '' && !isLimited
}

/** What a core dump in a directory, or right below it, may be called (core(5)). Pure. */
export function corePatterns(directory: string): string[] {
  return ['core', 'core.*', '*.core', 'core-*'].flatMap((name) => [
    `${directory}/${name}`,
    `${directory}/*/${name}`,
  ])
}

export const coreFiles: Area = {
  subject: 'core files',
  rules: ['core-file-left'],
  check({ host, config }) {
    const stores = config.coreDumps === 'none' ? STORES : []
    const directories = [...config.coreFiles, ...stores].filter((path) => host.statTarget(path))
    if (directories.length === 0) return notHere(this.rules, 'no directory is named in which none may lie')
    const blind: { subject: string; reason: string; rules: string[] }[] = []
    const dark = (subject: string, reason: string) => blind.push({ subject, reason, rules: this.rules })
    let examined = 0
    const found = directories.flatMap((directory) => {
      const isStore = stores.includes(directory)
      const patterns = isStore ? [`${directory}/*`] : corePatterns(directory)
      return patterns
        .flatMap((pattern) => host.glob(pattern, dark))
        .filter(({ type }) => type === 'file')
        .filter(({ path }) => {
          examined++
          if (isStore) return /\/(core\.|.*\.(crash|core)$)/.test(path)
          try {
            return isCoreDump(host, path)
          } catch (error) {
            dark(path, error instanceof Error ? error.message : String(error))
            return false
          }
        })
    })
    const files = [...new Map(found.map((entry) => [entry.path, entry])).values()]
    return {
      findings: judgeCoreFiles(files),
      blind,
      examined: examined + directories.length,
    }
  },
}

function isCoreDump(host: HostReader, path: string): boolean {
  const file = host.open(path)
  try {
    const head = new Uint8Array(20)
    const count = file.read(head, 0)
    return isElfCore(head.subarray(0, count))
  } finally {
    file.close()
  }
}

/** Pure: whether a file that begins like this is a core dump (elf(5): e_type ET_CORE). */
export function isElfCore(head: Uint8Array): boolean {
  if (head.length < 18 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46)
    return false
  const isBigEndian = head[5] === 2
  return (isBigEndian ? head[17] : head[16]) === ELF_CORE
}

/** Pure: a finding for each, the first hundred; what is more is counted in the last. */
export function judgeCoreFiles(
  files: { path: string; mode: number; size: number; mtimeMs: number }[],
): Finding[] {
  return files.slice(0, MAX_FILES).map(({ path, mode, size, mtimeMs }) => ({
    rule: 'core-file-left',
    subject: path,
    severity: (mode & 0o044) === 0 ? 'warning' : 'critical',
    summary: `${path} is a core dump of ${new Date(mtimeMs).toISOString().slice(0, 10)}: it holds what the process had in memory, secrets too${files.length > MAX_FILES ? ` (one of ${files.length})` : ''}`,
    remedy: `shred -u -- ${shellWord(path)}\nWhoever has to look into it takes it away first`,
    evidence: { bytes: size, mode: mode.toString(8).padStart(4, '0') },
    references: ['CWE-528'],
  }))
}
