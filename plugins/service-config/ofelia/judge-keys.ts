import { type Finding, foldName, nearest, shellWord } from '../../../agent/contract/mod.ts'
import { complain } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import type { DeadKey } from '../schema.ts'
import { deleteLine, replaceLine, replaceOnLine } from '../setting.ts'
import {
  DEAD_GLOBAL_KEYS,
  DEAD_JOB_KEYS,
  DEAD_KEYS_OF,
  DEPRECATED,
  DOCKER,
  GLOBAL,
  JOBS,
  type OfeliaKey,
  WEBHOOK,
} from './keys.ts'
import { isJob, type Key, type OfeliaFile, type Section, type Value } from './model.ts'
import { goBoolean, goDuration, isReference, resolve } from './values.ts'

/** Keys that a section of this kind knows. */
export function keysOf({ kind }: Section): readonly OfeliaKey[] {
  if (kind === 'global') return GLOBAL
  if (kind === 'docker') return DOCKER
  return kind === 'webhook' ? WEBHOOK : JOBS[kind]
}

function deadKeysOf(section: Section): readonly DeadKey[] {
  if (section.kind === 'global') return DEAD_GLOBAL_KEYS
  return isJob(section) ? [...(DEAD_KEYS_OF[section.kind] ?? []), ...DEAD_JOB_KEYS] : []
}

/** Pure: sections and keys that do nothing, or not what they say, and values that are not taken. */
export function judgeFile(file: OfeliaFile, runtime: Runtime): Finding[] {
  const strange = file.strange.map(({ name, place }) => {
    const kinds = ['global', 'docker', 'webhook "name"', ...Object.keys(JOBS).map((type) => `${type} "name"`)]
    const near = nearest(name, kinds)
    const why = name === 'DEFAULT' ? 'keys before the first section' : `a section [${printable(name)}]`
    const summary = `Ofelia passes over ${why}${near ? `, did you mean [${near}]?` : ''}: nothing of it is in force`
    const remedy = near
      ? replaceOnLine(place, `[${name}]`, `[${near}]`)
      : `Take it out of ${place.path}, from line ${place.line}`
    return complain('unknown-key', { key: `[${printable(name)}]`, place, summary, remedy })
  })
  return [...strange, ...file.sections.flatMap((section) => judgeSection(section, runtime))]
}

/** Pure: the keys of one section. */
export function judgeSection(section: Section, runtime: Runtime): Finding[] {
  const known = keysOf(section)
  const findings: Finding[] = []
  for (const key of section.keys.values()) {
    const spec = known.find((candidate) => foldName(candidate.key) === key.folded)
    if (!spec) findings.push(unknownKey(section, key, known))
    else findings.push(...judgeKey(section, key, spec, runtime))
    findings.push(...key.values.flatMap((value) => truncated(section, key, value)))
  }
  return findings
}

function unknownKey(section: Section, key: Key, known: readonly OfeliaKey[]): Finding {
  const { place } = key.values[0] ?? section
  const dead = deadKeysOf(section).find((candidate) => foldName(candidate.key) === key.folded)
  const name = `${section.prefix}.${dead?.key ?? printable(key.name)}`
  const remedy = deleteLine(place)
  if (dead) {
    const summary = `${dead.key} does nothing in Ofelia: ${dead.instead}`
    return complain('ineffective-key', {
      key: name,
      place,
      summary,
      remedy: insteadOf(section, dead, key) ?? remedy,
    })
  }
  const near = nearest(
    key.name,
    known.map((spec) => spec.key),
  )
  const summary = `Ofelia does not know ${printable(key.name)} here${near ? `, did you mean ${near}?` : ''}: it is passed over`
  return complain('unknown-key', { key: name, place, summary, remedy })
}

/** Where another key does what is meant: the line, written with that one. */
function insteadOf(section: Section, dead: DeadKey, key: Key): string | undefined {
  const [value] = key.values
  if (!value || section.from === 'label') return undefined
  const rename = (text: string) => replaceLine(value.place, text)
  if (dead.key === 'overlap')
    return rename(`no-overlap = ${goBoolean(value.text) === true ? 'false' : 'true'}`)
  if (dead.key === 'volumes') return value.text.includes(',') ? undefined : rename(`volume = ${value.text}`)
  if (dead.key === 'email-only-on-error') return rename(`mail-only-on-error = ${value.text}`)
  return undefined
}

function judgeKey(section: Section, key: Key, spec: OfeliaKey, runtime: Runtime): Finding[] {
  const findings: Finding[] = []
  const name = `${section.prefix}.${spec.key}`
  const old = DEPRECATED.find((candidate) => candidate.key === spec.key)
  const [first] = key.values
  if (old && first) {
    const summary = `${old.key} will go with Ofelia 1.0: ${old.instead}`
    findings.push(complain('deprecated-key', { key: name, place: first.place, summary, remedy: old.instead }))
  }
  // go-ini keeps equal values once.
  const distinct = key.values.filter(
    ({ text }, index) => key.values.findIndex((other) => other.text === text) === index,
  )
  const second = distinct[1]
  if (spec.kind !== 'texts' && second) {
    const what =
      section.kind === 'webhook'
        ? 'only one of them counts'
        : 'Ofelia cannot read that, and starts without the whole file'
    const summary = `${spec.key} has ${distinct.length} values, the first in line ${distinct[0]?.place.line}: ${what}`
    findings.push(
      complain('duplicate-key', {
        key: name,
        place: second.place,
        summary,
        remedy: deleteLine(second.place),
      }),
    )
  }
  for (const value of key.values) findings.push(...judgeValue(section, name, value, spec, runtime))
  return findings
}

function judgeValue(
  section: Section,
  name: string,
  value: Value,
  spec: OfeliaKey,
  runtime: Runtime,
): Finding[] {
  const findings: Finding[] = []
  // Values of labels are replaced by nobody: what refers to a variable there is Compose's matter.
  const { text, missing } =
    section.from === 'label' ? { text: value.text, missing: [] } : resolve(value.text, runtime)
  const { place } = value
  for (const variable of missing) {
    const summary = `Nothing sets ${printable(variable)}: ${spec.key} is the text of the reference itself`
    const remedy = `Set ${printable(variable)} in the environment of ${runtime.name}`
    findings.push(
      complain('undefined-variable', {
        key: name,
        place,
        summary,
        remedy,
        evidence: { variable: printable(variable) },
      }),
    )
  }
  const wanted = text === undefined || missing.length > 0 ? undefined : misfit(text, spec)
  if (wanted) {
    const { effect, right } = wanted
    // "always" is meant to be more than true: said as what it comes to.
    const rule = spec.kind === 'parsed-boolean' ? 'ineffective-key' : 'wrong-value'
    const summary = `${spec.key} is not ${wanted.wanted}: ${effect}`
    const remedy =
      right === undefined ? `Write ${wanted.wanted} at ${place.path}:${place.line}` : value.edit(right)
    findings.push(complain(rule, { key: name, place, summary, remedy }))
  }
  const isSecret = spec.secret === true || (spec.key === 'url' && holdsSecret(value.text))
  if (isSecret && value.text !== '' && !(section.from === 'file' && isReference(value.text))) {
    findings.push(literalSecret(section, name, value, spec))
  }
  return findings
}

interface Misfit {
  wanted: string
  effect: string
  right?: string
}

const REFUSED = 'Ofelia cannot read that, and starts without the whole file'

function misfit(
  text: string,
  { key, kind, min = 0, max = Number.MAX_SAFE_INTEGER, choices = [] }: OfeliaKey,
): Misfit | undefined {
  switch (kind) {
    case 'boolean':
      return text === '' || goBoolean(text) !== undefined
        ? undefined
        : { wanted: 'true or false', effect: REFUSED }
    case 'parsed-boolean': {
      if (text === '' || goBoolean(text) !== undefined) return undefined
      const effect =
        key === 'pull' ? 'it counts as false, and the image that is there is taken' : 'it counts as false'
      return { wanted: 'true or false', effect, right: /^(never|no|off)$/i.test(text) ? 'false' : 'true' }
    }
    case 'integer': {
      if (text === '') return undefined
      if (!/^[+-]?\d+$/.test(text)) return { wanted: 'a whole number', effect: REFUSED }
      const number = Number(text)
      const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`
      return number >= min && number <= max ? undefined : { wanted: range, effect: 'Ofelia does not take it' }
    }
    case 'duration':
      return goDuration(text) !== undefined
        ? undefined
        : { wanted: 'a time such as 90s, 30m or 1h30m', effect: REFUSED }
    case 'choice': {
      if (
        text === '' ||
        choices.includes(text) ||
        (key === 'log-level' && choices.includes(text.toLowerCase()))
      )
        return undefined
      const effect = key === 'smtp-tls-policy' ? 'mandatory is taken instead' : 'Ofelia does not take it'
      return { wanted: `one of ${choices.join(', ')}`, effect }
    }
    case 'mode':
      return text === '' || /^(0[oO])?0*[0-7]{1,3}$/.test(text)
        ? undefined
        : { wanted: 'a mode such as 0600', effect: 'nothing is saved' }
    default:
      return undefined
  }
}

/** Addresses of services that whoever knows them may use. */
function holdsSecret(url: string): boolean {
  return (
    /^https?:\/\/[^/]*:[^/]*@/i.test(url) ||
    /^https:\/\/(hooks\.slack\.com\/services\/|discord(app)?\.com\/api\/webhooks\/|[\w-]+\.webhook\.office\.com\/|hc-ping\.com\/[\w-]{8})/i.test(
      url,
    )
  )
}

function literalSecret(section: Section, name: string, value: Value, spec: OfeliaKey): Finding {
  const variable = `OFELIA_${[section.name, spec.key]
    .join('_')
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_/, '')}`
  if (section.from === 'label') {
    const summary = `${spec.key} stands in a label, which everybody can read who may look at the container`
    const remedy = `${deleteLine(value.place)}\nWrite ${spec.key} = \${${variable}} into Ofelia's configuration`
    return complain('secret-in-configuration', { key: name, place: value.place, summary, remedy })
  }
  const isHash = spec.key === 'web-password-hash'
  const summary = `${spec.key} stands in the configuration and not in a variable that it refers to`
  const remedy = `${value.edit(`\${${variable}}`)}\nSet ${variable} in a file of mode 0600 that EnvironmentFile= (env_file: in Compose) names`
  return complain('secret-in-configuration', {
    key: name,
    place: value.place,
    summary,
    remedy,
    // A good hash gives nothing away at once.
    ...(isHash ? { severity: 'warning' as const } : {}),
  })
}

function truncated(section: Section, key: Key, { place, comment, glued }: Value): Finding[] {
  if (comment === undefined) return []
  // In a command ";" is no comment to whoever writes it, blank or not.
  const isMeant = !glued && !(key.folded === 'command' && comment.startsWith(';'))
  if (isMeant) return []
  const name = `${section.prefix}.${printable(key.name)}`
  const summary = `The value of ${printable(key.name)} is cut off at "${comment.charAt(0)}": for Ofelia a comment begins there`
  // The value may be a secret: it is put between backquotes where it stands, unseen.
  const remedy = `sed -i '${place.line}s/^\\([^=:]*[=:][[:space:]]*\\)\\(.*\\)$/\\1\`\\2\`/' ${shellWord(place.path)}`
  return [complain('truncated-value', { key: name, place, summary, remedy })]
}

/** A name from a file as it may be shown: it can hold anything. */
function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return clean.length > 80 ? `${clean.slice(0, 79)}…` : clean
}
