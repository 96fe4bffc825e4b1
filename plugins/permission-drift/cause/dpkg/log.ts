import type { Span } from '../evidence.ts'

/** What dpkg did to one package in one invocation. */
export interface Work extends Span {
  /** "install", "upgrade", "remove", "purge", "configure", "trigproc", "disappear". */
  actions: Set<string>
  /** The last version named, "" for none. */
  version: string
  /** Local time as in the log, for people. */
  at: string
}

/** One invocation of dpkg: from its "startup" to its last line. Packages by name, without architecture. */
export interface Invocation extends Span {
  work: Map<string, Work>
}

const LINE = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (\S+) (.*)$/
const ACTIONS = new Set(['install', 'upgrade', 'remove', 'purge', 'configure', 'trigproc', 'disappear'])
const SECOND_NS = 1_000_000_000n
const QUARTER_NS = 900n * SECOND_NS

/**
 * Invocations of dpkg from its log (dpkg.log, as dpkg(1) describes `log`). Its times are local and in whole
 * seconds; `lastWriteNs`, the time of the last change of the file, is that of its last line: it tells the offset
 * from UTC (a multiple of 15 minutes) and, to the nanosecond, when the last invocation was over. So a change made
 * right after it is not taken for a part of it.
 */
export function parseDpkgLog(text: string, lastWriteNs: bigint): Invocation[] {
  const lines = text.split('\n').flatMap((line) => LINE.exec(line)?.slice(1) ?? [])
  const invocations: Invocation[] = []
  let last: string | undefined
  for (let index = lines.length - 4; index >= 0 && last === undefined; index -= 4) {
    last = `${lines[index]}T${lines[index + 1]}Z`
  }
  if (last === undefined) return []
  const offsetNs = roundTo(nanoseconds(last) - lastWriteNs, QUARTER_NS)
  for (let index = 0; index + 3 < lines.length; index += 4) {
    const [day = '', time = '', verb = '', rest = ''] = lines.slice(index, index + 4)
    const startNs = nanoseconds(`${day}T${time}Z`) - offsetNs
    const endNs = earlier(startNs + SECOND_NS - 1n, lastWriteNs)
    if (verb === 'startup') {
      invocations.push({ startNs, endNs, work: new Map() })
      continue
    }
    const invocation = invocations.at(-1)
    if (!invocation) continue // the log was rotated in the middle of an invocation
    invocation.endNs = endNs
    // "upgrade NAME:ARCH OLD NEW", "status STATE NAME:ARCH VERSION", "conffile PATH DECISION"
    const words = rest.split(' ')
    const [name, version] = verb === 'status' ? [words[1], words[2]] : [words[0], words[2] ?? words[1]]
    if (verb === 'conffile' || name === undefined) continue
    const key = withoutArchitecture(name)
    const work = invocation.work.get(key)
    const at = `${day} ${time}`
    if (!work) {
      const actions = new Set(ACTIONS.has(verb) ? [verb] : [])
      invocation.work.set(key, { startNs, endNs, actions, version: known(version), at })
      continue
    }
    work.endNs = endNs
    if (ACTIONS.has(verb)) work.actions.add(verb)
    if (known(version)) work.version = known(version)
  }
  return invocations
}

export function withoutArchitecture(name: string): string {
  return name.replace(/:[^:]*$/, '')
}

function known(version: string | undefined): string {
  return version === undefined || version === '<none>' ? '' : version
}

function nanoseconds(instant: string): bigint {
  return BigInt(Date.parse(instant)) * 1_000_000n
}

function roundTo(value: bigint, step: bigint): bigint {
  const half = value < 0n ? -step / 2n : step / 2n
  return ((value + half) / step) * step
}

function earlier(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
