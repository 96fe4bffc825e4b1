import { suggestion } from '../lib/nearest.ts'
import type { Checklist, Profile, ProfileUse } from './profile-schema.ts'

type Value = string | number | boolean | (string | number)[]

/** What is wrong with a use of a profile, and where in it. */
export interface ExpansionProblem {
  keys: (string | number)[]
  message: string
}

export interface Expansion {
  /** Jobs as they would stand in the configuration, by their name on this host. */
  jobs: Record<string, Record<string, unknown>>
  checklist: Checklist
  problems: ExpansionProblem[]
}

/** Pure: the jobs and the checklist that a use of a profile comes to. */
export function expandProfile(profile: Profile, use: ProfileUse): Expansion {
  const problems: ExpansionProblem[] = []
  const name = use.as ?? profile.name
  const values = parameterValues(profile, use, problems)
  const fill = <T>(part: T): T => substitute(part, values, problems) as T
  for (const job of Object.keys(use.jobs)) {
    if (Object.hasOwn(profile.jobs, job)) continue
    problems.push({ keys: ['jobs', job], message: unknown('job', job, Object.keys(profile.jobs)) })
  }
  const jobs = Object.fromEntries(
    Object.entries(profile.jobs).map(([job, settings]) => [
      `${name}-${job}`,
      overlay(fill(settings), use.jobs[job] ?? {}),
    ]),
  )
  const items = profile.items.map(({ id, title, references, checks }) => ({
    id,
    title: fill(title),
    references,
    checks: checks.map(({ job, rules, subjects }) => ({
      job: `${name}-${job}`,
      rules: rules ?? null,
      subjects: subjects ? fill(subjects) : null,
    })),
  }))
  return { jobs, checklist: { name, profile: profile.name, title: profile.title, items }, problems }
}

/** What is wrong with a profile in itself: items that are double, checks of jobs that it does not have. Pure. */
export function profileProblems(profile: Profile): ExpansionProblem[] {
  const ids = new Set<string>()
  return profile.items.flatMap((item, index) => {
    const keys = ['items', index]
    const double = ids.has(item.id)
      ? [{ keys: [...keys, 'id'], message: `there are two items "${item.id}"` }]
      : []
    ids.add(item.id)
    const strange = item.checks.flatMap(({ job }, check) =>
      Object.hasOwn(profile.jobs, job)
        ? []
        : [
            {
              keys: [...keys, 'checks', check, 'job'],
              message: unknown('job', job, Object.keys(profile.jobs)),
            },
          ],
    )
    return [...double, ...strange]
  })
}

function parameterValues(
  profile: Profile,
  use: ProfileUse,
  problems: ExpansionProblem[],
): Map<string, Value> {
  const { use: _use, as: _as, jobs: _jobs, ...given } = use as ProfileUse & Record<string, Value>
  const values = new Map<string, Value>()
  for (const [name, parameter] of Object.entries(profile.parameters)) {
    // A default may be made of the parameters before it: home: /home/${user}.
    const value =
      likeDefault(given[name], parameter.default) ?? substitute(parameter.default, values, problems)
    if (value === undefined) problems.push({ keys: [name], message: `it is missing: ${parameter.means}` })
    else values.set(name, value as Value)
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(profile.parameters, name)) continue
    const message = unknown('parameter', name, Object.keys(profile.parameters))
    problems.push({ keys: [name], message })
  }
  return values
}

/** A value given on the command line is a text: "5" and "a,b" become what the default is. */
function likeDefault(given: Value | undefined, fallback: Value | undefined): Value | undefined {
  if (typeof given !== 'string') return given
  if (typeof fallback === 'number' && /^\d+$/.test(given)) return Number(given)
  if (typeof fallback === 'boolean' && /^(true|false)$/.test(given)) return given === 'true'
  if (!Array.isArray(fallback)) return given
  const parts = given.split(',').filter((part) => part !== '')
  const isNumeric = fallback.length > 0 && fallback.every((value) => typeof value === 'number')
  return parts.map((part) => (isNumeric && /^\d+$/.test(part) ? Number(part) : part))
}

function unknown(what: string, name: string, known: string[]): string {
  return `the profile has no ${what} "${name}"${suggestion(name, known)}`
}

const REFERENCE = /\$(\$\{|\{([A-Za-z0-9]*)\})/g

/**
 * The value with every `${name}` replaced. A text that is nothing but one reference becomes the very value; a
 * list in a list is joined into it, and a text in a list with the name of a list in it becomes one for each.
 */
function substitute(part: unknown, values: Map<string, Value>, problems: ExpansionProblem[]): unknown {
  if (Array.isArray(part)) {
    return part.flatMap((element) =>
      typeof element === 'string'
        ? spread(element, values, problems)
        : [substitute(element, values, problems)],
    )
  }
  if (part !== null && typeof part === 'object') {
    return Object.fromEntries(
      Object.entries(part).map(([key, value]) => [
        String(substitute(key, values, problems)),
        substitute(value, values, problems),
      ]),
    )
  }
  if (typeof part !== 'string') return part
  const whole = /^\$\{([A-Za-z0-9]+)\}$/.exec(part)?.[1]
  if (whole !== undefined && values.has(whole)) return values.get(whole)
  return part.replace(REFERENCE, (text, _rest, name: string | undefined) => {
    if (name === undefined) return '${'
    const value = values.get(name)
    if (value !== undefined) return String(value)
    const message = `"${text}" stands for no parameter`
    if (!problems.some((problem) => problem.message === message)) problems.push({ keys: [], message })
    return text
  })
}

/** An element of a list: `${dirs}/*.log` is one text for each of `dirs`. */
function spread(text: string, values: Map<string, Value>, problems: ExpansionProblem[]): unknown[] {
  for (const { 0: reference, 2: name = '', index } of text.matchAll(REFERENCE)) {
    const list = values.get(name)
    if (!Array.isArray(list)) continue
    if (text === reference) return list
    const [before, after] = [text.slice(0, index), text.slice(index + reference.length)]
    return list.flatMap((value) => spread(before + escaped(String(value)) + after, values, problems))
  }
  return [substitute(text, values, problems)]
}

/** A value that has been put in is not looked through again. */
function escaped(value: string): string {
  return value.replaceAll('${', () => '$${')
}

/** Settings of the configuration win over those of the profile; `config` is joined key by key. */
function overlay(job: object, more: { config?: unknown }): Record<string, unknown> {
  const base = job as Record<string, unknown> & { config?: Record<string, unknown> }
  const config = { ...base.config, ...(more.config as Record<string, unknown> | undefined) }
  return { ...base, ...more, config }
}
