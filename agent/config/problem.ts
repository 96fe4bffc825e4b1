import type { z } from 'zod'
import { nearest } from '../lib/nearest.ts'
import { isSecretName } from '../lib/secret-names.ts'
import type { KeyPath, Source } from './source.ts'

/** One thing wrong with the configuration. Line and column count from 1; 0 means the file as a whole. */
export interface Problem {
  file: string
  line: number
  column: number
  /** Dotted, "jobs.logs.schedule"; empty for the file as a whole. */
  keyPath: string
  message: string
}

/** "FILE:LINE:COLUMN: KEY: MESSAGE", in the order of the files. */
export function formatProblems(problems: Problem[]): string {
  return [...problems]
    .sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1))
    .map(({ file, line, column, keyPath, message }) => {
      const place = line > 0 ? `${file}:${line}:${column}` : file
      return `${place}: ${keyPath ? `${keyPath}: ` : ''}${message}`
    })
    .join('\n')
}

/** Problem at a key path. */
export function problemAt(source: Source, keys: KeyPath, message: string): Problem {
  return { ...source.locate(keys), keyPath: keys.join('.'), message }
}

/** What a schema found, with positions, what was found, what was wanted and the nearest known name. */
export function problemsOf(error: z.ZodError, source: Source, prefix: KeyPath, schema: z.ZodType): Problem[] {
  return error.issues.flatMap((issue) => issueProblems(issue, source, prefix, schema))
}

function issueProblems(
  issue: z.core.$ZodIssue,
  source: Source,
  prefix: KeyPath,
  schema: z.ZodType,
): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  const keys = [...prefix, ...path]
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schemaAt(schema, path))
    return issue.keys.map((key) => {
      const near = nearest(key, known)
      const hint = near
        ? `, did you mean "${near}"?`
        : known.length > 0
          ? `; known are ${known.join(', ')}`
          : ''
      return problemAt(source, [...keys, key], `unknown key${hint}`)
    })
  }
  const found = valueAt(source.value, keys)
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The one kind that the value is of, though something is wrong with it.
    const [meant, ...others] = issue.errors.filter((branch) => !branch.some(isOfAnotherType))
    if (meant && others.length === 0) {
      return meant.flatMap((inner) =>
        issueProblems({ ...inner, path: [...issue.path, ...inner.path] }, source, prefix, schema),
      )
    }
    const wanted = issue.errors.flatMap((branch) => branch.map((inner) => describeWanted(inner, found)))
    const [first, ...rest] = new Set(wanted)
    const all = [first, ...rest.map((message) => message.replace(/^wanted /, ''))]
    return [problemAt(source, keys, `found ${show(found, keys)}, ${all.join('; or ')}`)]
  }
  if (issue.code === 'invalid_key') {
    return [problemAt(source, keys, issue.issues.map((inner) => inner.message).join('; '))]
  }
  const wanted = describeWanted(issue, found)
  return [problemAt(source, keys, found === undefined ? wanted : `found ${show(found, keys)}, ${wanted}`)]
}

function isOfAnotherType(issue: z.core.$ZodIssue): boolean {
  return ['invalid_type', 'invalid_value'].includes(issue.code ?? '') && issue.path.length === 0
}

function describeWanted(issue: z.core.$ZodIssue, found: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const own = issue.message.startsWith('Invalid input') ? undefined : issue.message
      return `${found === undefined ? 'it is missing: ' : ''}${own ?? `wanted ${article(issue.expected)}`}`
    }
    case 'invalid_value':
      return oneOf(issue.values, found)
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? oneOf(issue.options, found) : issue.message
    case 'too_small':
      return `wanted ${issue.inclusive ? 'at least' : 'more than'} ${amount(issue.minimum, issue.origin)}`
    case 'too_big':
      return `wanted ${issue.inclusive ? 'at most' : 'less than'} ${amount(issue.maximum, issue.origin)}`
    default:
      return issue.message
  }
}

function oneOf(values: z.core.util.Primitive[], found: unknown): string {
  const near = typeof found === 'string' ? nearest(found, values.map(String)) : undefined
  const all = values
    .map((value) => (typeof value === 'string' ? JSON.stringify(value) : String(value)))
    .join(', ')
  const missing = found === undefined ? 'it is missing: ' : ''
  return `${missing}wanted ${values.length > 1 ? 'one of ' : ''}${all}${near ? `; did you mean "${near}"?` : ''}`
}

function amount(limit: number | bigint, origin: string): string {
  const units: Record<string, string> = { array: 'item', set: 'item', string: 'character' }
  const unit = units[origin]
  return unit ? `${limit} ${unit}${limit === 1 ? '' : 's'}` : String(limit)
}

function article(type: string): string {
  const names: Record<string, string> = {
    record: 'a map',
    object: 'a map',
    array: 'a list',
    int: 'a whole number',
    boolean: 'true or false',
    string: 'a text',
  }
  return names[type] ?? `a ${type}`
}

function valueAt(value: unknown, keys: KeyPath): unknown {
  let current = value
  for (const key of keys) {
    if (current === null || typeof current !== 'object') return undefined
    current = (current as Record<string, unknown>)[String(key)]
  }
  return current
}

/** A value for a message; one that may be a secret is never shown. */
function show(value: unknown, keys: KeyPath): string {
  if (keys.some((key) => key === 'url' || isSecretName(String(key)))) return 'something else'
  if (value !== null && typeof value === 'object') {
    const empty = Object.keys(value).length === 0
    return `${empty ? 'an empty' : 'a'} ${Array.isArray(value) ? 'list' : 'map'}`
  }
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text
}

/** Names that a map may have, where the schema says so. */
function knownKeys(schema: z.ZodType | undefined): string[] {
  const shape = (schema as { shape?: Record<string, unknown> } | undefined)?.shape
  return shape ? Object.keys(shape) : []
}

/** The schema of a part: through objects, records, arrays, unions and wrappers. */
function schemaAt(schema: z.ZodType, path: KeyPath): z.ZodType | undefined {
  let current: z.ZodType | undefined = unwrap(schema)
  for (const key of path) {
    const definition = (current as unknown as { def?: Record<string, unknown> })?.def
    if (!definition) return undefined
    if (definition.type === 'object') {
      current = unwrap((current as unknown as { shape: Record<string, z.ZodType> }).shape[String(key)])
    } else if (definition.type === 'record') current = unwrap(definition.valueType as z.ZodType)
    else if (definition.type === 'array') current = unwrap(definition.element as z.ZodType)
    else return undefined
  }
  return current
}

function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  let current = schema
  for (;;) {
    const definition = (current as unknown as { def?: Record<string, unknown> })?.def
    const inner = definition?.innerType ?? definition?.in
    if (!inner) return current
    current = inner as z.ZodType
  }
}
