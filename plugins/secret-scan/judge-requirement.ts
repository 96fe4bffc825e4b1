import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import type { Requirement } from './config.ts'
import { entropyOf, isPlaceholder, judgeValue } from './judge-value.ts'

/** A variable with the file in which it stands. */
export interface Sourced {
  name: string
  value: string
  line: number
  path: string
}

/**
 * Pure: whether a required variable is there, and right. The last one wins, as with systemd. `seen` says whether all
 * places could be read: what is not in some of them is not missing. No value is in what comes of it.
 */
export function judgeRequirement(
  requirement: Requirement,
  found: readonly Sourced[],
  seen: 'all' | 'some',
  firstPlace: string | undefined,
): Finding[] {
  const { name, optional } = requirement
  const last = found.at(-1)
  if (!last || last.value.trim() === '') {
    if (optional || (seen === 'some' && !last)) return []
    const place = last?.path ?? firstPlace
    return [
      {
        rule: 'missing-variable',
        subject: place ? `${place}:${name}` : name,
        severity: 'warning',
        summary: last
          ? `${last.path}:${last.line} has ${name} without a value`
          : `${name} is not set in ${place ?? 'any file'}`,
        remedy: place ? setCommand(requirement, place, last !== undefined) : `Set ${name}`,
        evidence: { path: place ?? null, line: last?.line ?? null, key: name },
      },
    ]
  }
  const why = weakness(requirement, last.value.trim())
  if (why === undefined) return []
  return [
    {
      rule: 'weak-variable',
      subject: `${last.path}:${name}`,
      severity: 'critical',
      summary: `${last.path}:${last.line} has ${name} with ${why}`,
      remedy: setCommand(requirement, last.path, true),
      evidence: { path: last.path, line: last.line, key: name, characters: last.value.length },
    },
  ]
}

/** Pure: why a value is not what it must be; undefined when it is. */
export function weakness({ minimumLength, pattern }: Requirement, value: string): string | undefined {
  if (pattern === 'list') {
    const names = value.split(',').map((item) => item.trim())
    if (names.some((item) => item === '')) return 'an empty name in its list'
    return names.some((item) => /[*?]/.test(item)) ? 'a wildcard in its list' : undefined
  }
  if (isPlaceholder(value) || judgeValue(value) !== 'literal') return 'a placeholder'
  if (value.length < minimumLength) return `${value.length} characters, wanted at least ${minimumLength}`
  if (pattern === 'hex' && !/^(?:[0-9a-f]{2})+$/i.test(value))
    return 'other characters than hex digits in pairs'
  if (pattern === 'base64' && !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value))
    return 'other characters than base64 has'
  // Of 32 random hex digits one has about 3.5 bits each: far below, it is "aaaa…" or a word again and again.
  if (entropyOf(value) < 2.5) return 'a few characters again and again'
  return undefined
}

/** A command that puts a random value there. */
function setCommand({ name, pattern, minimumLength }: Requirement, path: string, isThere: boolean): string {
  if (pattern === 'list') return `sudoedit ${shellWord(path)}\n# ${name}=name,other-name`
  const bytes = Math.max(32, Math.ceil(minimumLength * (pattern === 'hex' ? 0.5 : 0.75)))
  const random =
    pattern === 'hex' ? `openssl rand -hex ${bytes}` : `openssl rand -base64 ${bytes} | tr -d '\\n'`
  const file = shellWord(path)
  const append = `printf '%s=%s\\n' ${name} "$(${random})" >> ${file}`
  return isThere ? `sed -i '/^\\s*${name}\\s*=/d' ${file}\n${append}` : `${append}\nchmod 0600 ${file}`
}
