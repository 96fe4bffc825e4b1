import {
  type Blind,
  describeError,
  type Finding,
  formatDuration,
  globBase,
  type HostReader,
} from '../../agent/contract/mod.ts'
import { type Area, notHere, type Packages } from './area.ts'
import type { ProgramConfig } from './config.ts'
import type { Installed } from './packages.ts'
import { compareVersions, plainVersion } from './version.ts'

const RULES = ['program-outdated', 'program-not-updated']
const DAY_MS = 86_400_000
const PROGRAM_TIMEOUT_MS = 10_000
const MAX_OUTPUT_BYTES = 65_536

/** A program as it is on this host. */
export interface Found {
  /** Undefined: it is only known when it was last changed. */
  version: string | undefined
  changedMs: number | undefined
}

export const programs: Area = {
  subject: 'programs',
  rules: RULES,
  async check({ host, config, now, signal }, packages) {
    if (config.programs.length === 0) return notHere(RULES, 'no program is named')
    const findings: Finding[] = []
    const blind: Blind[] = []
    const facts = []
    for (const program of config.programs) {
      try {
        const found = await find(host, program, packages, signal)
        const { name } = program
        for (const one of found) findings.push(...judgeProgram(program, one, now.getTime()))
        for (const { version, changedMs, place } of found) {
          const changed = changedMs === undefined ? null : new Date(changedMs).toISOString().slice(0, 10)
          facts.push({
            kind: 'program',
            subject: `${name} (${place})`,
            data: { version: version ?? null, changed },
          })
        }
      } catch (error) {
        signal.throwIfAborted()
        blind.push({ subject: program.name, reason: describeError(error), rules: RULES })
      }
    }
    if (facts.length === 0 && blind.length === 0) {
      return notHere(RULES, `not installed: ${config.programs.map(({ name }) => name).join(', ')}`)
    }
    return { findings, blind, facts, examined: config.programs.length }
  },
}

type Placed = Found & { place: string }

/** Each installation of it; none when it is not installed. Throws when that cannot be told. */
async function find(
  host: HostReader,
  program: ProgramConfig,
  packages: Packages,
  signal: AbortSignal,
): Promise<Placed[]> {
  const { installed } = program
  if ('package' in installed) return fromPackage(host, installed.package, packages())
  if ('file' in installed) return fromFiles(host, installed.file, installed.pattern)
  if ('directory' in installed) return fromDirectories(host, installed.directory)
  return fromProgram(host, installed.program, installed.pattern, signal)
}

function fromPackage(host: HostReader, name: string, installed: Installed | undefined): Placed[] {
  if (!installed) throw new Error('Cannot look up a package: there is no dpkg on this host')
  return [...installed.values()]
    .filter((one) => one.name === name)
    .map(({ version, architecture }) => {
      const lists = [`/var/lib/dpkg/info/${name}.list`, `/var/lib/dpkg/info/${name}:${architecture}.list`]
      const changedMs = lists.flatMap((path) => host.stat(path)?.mtimeMs ?? [])[0]
      return { version, changedMs, place: name }
    })
}

function fromFiles(host: HostReader, path: string, pattern: string): Placed[] {
  return globbed(host, path).map((file) => {
    const text = host.readText(file, { maxBytes: 1024 * 1024, follow: true })
    return { version: versionIn(text, pattern, file), changedMs: host.statTarget(file)?.mtimeMs, place: file }
  })
}

/** A tree that is updated as a whole: a git work tree (by its log of HEAD), or one with Python packages. */
function fromDirectories(host: HostReader, path: string): Placed[] {
  return globbed(host, path).map((directory) => {
    const log = `${directory}/.git/logs/HEAD`
    if (host.stat(`${directory}/.git`)) {
      if (!host.stat(log))
        throw new Error(`Cannot tell when "${directory}" was updated: git keeps no log of HEAD in it`)
      return {
        version: undefined,
        changedMs: lastMove(host.readText(log, { maxBytes: 16 * 1024 * 1024 })),
        place: directory,
      }
    }
    const packages = [
      `${directory}/*.dist-info`,
      `${directory}/lib/python*/site-packages/*.dist-info`,
    ].flatMap((pattern) => globbed(host, pattern))
    const times = packages.flatMap((one) => host.stat(one)?.mtimeMs ?? [])
    if (times.length === 0) {
      throw new Error(
        `Cannot tell when "${directory}" was updated: it is no git work tree, and has no Python packages`,
      )
    }
    return { version: undefined, changedMs: Math.max(...times), place: directory }
  })
}

/** Pure: when HEAD was last moved, by git's log of it: each line has a time after the address. */
export function lastMove(log: string): number | undefined {
  const [, seconds] = /> (\d+) [+-]\d{4}\t?/.exec(log.trimEnd().split('\n').at(-1) ?? '') ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

async function fromProgram(
  host: HostReader,
  argv: [string, ...string[]],
  pattern: string,
  signal: AbortSignal,
): Promise<Placed[]> {
  const [path] = argv
  if (!host.statTarget(path)) return []
  const result = await host.run(argv, { signal, timeout: PROGRAM_TIMEOUT_MS, maxBytes: MAX_OUTPUT_BYTES })
  if (result.timedOut) throw new Error(`Cannot ask "${path}" for its version: it does not answer`)
  if (result.truncated) throw new Error(`Cannot ask "${path}" for its version: it says too much`)
  if (result.exitCode !== 0)
    throw new Error(`Cannot ask "${path}" for its version: it ended with ${result.exitCode ?? result.signal}`)
  const version = versionIn(`${result.stdout}\n${result.stderr}`, pattern, path)
  return [{ version, changedMs: host.statTarget(path)?.mtimeMs, place: path }]
}

function versionIn(text: string, pattern: string, place: string): string {
  const match = new RegExp(pattern, 'm').exec(text)
  const version = match?.[1] ?? match?.[0]
  if (!version || version.length > 100)
    throw new Error(`Cannot find the version in "${place}": nothing matches ${pattern}`)
  return version
}

function globbed(host: HostReader, pattern: string): string[] {
  if (pattern === globBase(pattern)) return host.statTarget(pattern) ? [pattern] : []
  const problems: string[] = []
  const entries = host.glob(pattern, (path, reason) => problems.push(`${path}: ${reason}`))
  if (problems.length > 0) throw new Error(`Cannot look for "${pattern}": ${problems[0]}`)
  return entries.map(({ path }) => path)
}

/** Pure: what is wrong with one installation of a program. */
export function judgeProgram(
  { name, wanted, maxAge, update }: ProgramConfig,
  { version, changedMs, place }: Placed,
  nowMs: number,
): Finding[] {
  const findings: Finding[] = []
  const subject = place === name ? name : `${name} (${place})`
  const remedy = update ?? `Update ${name}`
  const references = ['OWASP-A06:2021']
  if (
    wanted !== undefined &&
    version !== undefined &&
    compareVersions(plainVersion(version), plainVersion(wanted)) < 0
  ) {
    findings.push({
      rule: 'program-outdated',
      subject,
      severity: 'warning',
      summary: `${name} ${version} is installed, wanted at least ${wanted}`,
      remedy,
      evidence: { version, wanted, place },
      references,
    })
  }
  const ageMs = changedMs === undefined ? undefined : nowMs - changedMs
  if (maxAge !== undefined && ageMs !== undefined && ageMs > maxAge) {
    findings.push({
      rule: 'program-not-updated',
      subject,
      severity: 'warning',
      summary: `${name} was last updated ${formatDuration(Math.floor(ageMs / DAY_MS) * DAY_MS)} ago, wanted at least every ${formatDuration(maxAge)}`,
      remedy,
      evidence: { changed: new Date(nowMs - ageMs).toISOString().slice(0, 10), place },
      references,
    })
  }
  return findings
}
