import type { Runtime } from '../runtime.ts'

/** Go's strconv.ParseBool; undefined for what it refuses. */
export function goBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}

const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Go's time.ParseDuration in milliseconds; undefined for what it refuses. */
export function goDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  const [, sign, rest] = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h).*)$/.exec(text) ?? []
  if (rest === undefined) return undefined
  let total = 0
  let read = ''
  for (const [part, number = '', unit = ''] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)) {
    total += Number(number) * (UNITS[unit] ?? 0)
    read += part
  }
  if (read !== rest) return undefined
  return sign === '-' ? -total : total
}

/** What a value comes to with the variables of its program put in. */
export interface Resolved {
  /** Undefined: a variable is set to what nobody can tell. */
  text: string | undefined
  /** Variables that nothing sets: their references stay in the text as they are. */
  missing: string[]
  /** All that it refers to. */
  names: string[]
}

/** Ofelia replaces `${NAME}` and `${NAME:-default}`; `$NAME` stays, and so does what is not set. */
export function resolve(text: string, { variables, complete }: Runtime): Resolved {
  const missing: string[] = []
  const names: string[] = []
  let known = true
  const resolved = text.replace(
    /\$\{([^}:]+)(?::-([^}]*))?\}/g,
    (reference, name: string, fallback?: string) => {
      names.push(name)
      const variable = variables.get(name)
      if (variable) {
        if (variable.value === undefined) known = false
        return variable.value ?? ''
      }
      if (fallback !== undefined) {
        if (!complete) known = false
        return fallback
      }
      if (complete) missing.push(name)
      else known = false
      return reference
    },
  )
  return { text: known ? resolved : undefined, missing, names }
}

/** "${NAME}" */
export function referenceTo(name: string): string {
  return `\${${name}}`
}

/** Whether a text is nothing but one reference without a default that would be a secret itself. */
export function isReference(text: string): boolean {
  return /^\$\{[^}:]+(:-)?\}$/.test(text)
}
