import { z } from 'zod'
import { absolutePath, byteSize, duration, fileMode, secretReference } from '../../agent/contract/fields.ts'
import { formatDuration } from '../../agent/lib/duration.ts'

/** The part of JSON Schema 2020-12 that zod writes. */
export interface JsonSchema {
  title?: string
  description?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  default?: unknown
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  items?: JsonSchema | boolean
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: JsonSchema | boolean
  propertyNames?: JsonSchema
}

export interface Setting {
  /** "jobs.NAME.config", "rules[].path". */
  key: string
  type: string
  required: boolean
  /** As YAML; undefined where there is none. */
  default: string | undefined
  description: string
}

/** Fields of the contract by name. */
const FIELDS = { duration, size: byteSize, path: absolutePath, mode: fileMode, reference: secretReference }

/** A described copy of a field shares its definition, a refined one its checks. */
function fieldName({ _zod: { def } }: z.core.$ZodType): string | undefined {
  return Object.entries(FIELDS).find(([, field]) => {
    if (field._zod.def === def) return true
    const { checks = [] } = field._zod.def
    return checks.length > 0 && checks.every((check) => def.checks?.includes(check))
  })?.[0]
}

/** What stands in a configuration file, as JSON Schema; a field of the contract has its name as title. */
export function describeInput(schema: z.ZodType): JsonSchema {
  const described: unknown = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod
      const title = fieldName(zodSchema)
      if (title) jsonSchema.title = title
      // zod leaves out a default of what is transformed: it is no input. Written as input it may stand there.
      if (def.type === 'default' && jsonSchema.default === undefined) {
        jsonSchema.default = asInput(def.defaultValue, jsonSchema.title)
      }
    },
  })
  return described as JsonSchema
}

function asInput(value: unknown, title: string | undefined): unknown {
  if (typeof value !== 'number') return value
  return title === 'duration' ? formatDuration(value).replaceAll(' ', '') : value
}

/** Every setting below a schema, in the order of the schema. Pure. */
export function listSettings(schema: JsonSchema, prefix = ''): Setting[] {
  const variants = schema.oneOf
  if (variants) return listVariants(variants, prefix)
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`
    return [settingOf(key, property, schema.required?.includes(name) ?? false), ...inner(property, key)]
  })
}

function inner(schema: JsonSchema, key: string): Setting[] {
  if (schema.items && typeof schema.items === 'object') return inner(schema.items, `${key}[]`)
  if (schema.properties || schema.oneOf) return listSettings(schema, key)
  const values = schema.additionalProperties
  if (typeof values === 'object' && (values.properties || values.oneOf)) {
    return listSettings(values, `${key}.NAME`)
  }
  return (schema.anyOf ?? []).flatMap((choice) => inner(choice, key))
}

/** Alternatives told apart by one key: what all have in common once, the rest with who has it. */
function listVariants(variants: JsonSchema[], prefix: string): Setting[] {
  const shared = variants[0]?.properties ?? {}
  const tag = Object.keys(shared).find((name) =>
    variants.every((variant) => variant.properties?.[name]?.const !== undefined),
  )
  if (tag === undefined) return variants.flatMap((variant) => listSettings(variant, prefix))
  const tagOf = (variant: JsonSchema) => String(variant.properties?.[tag]?.const)
  const groups = new Map<string, { setting: Setting; below: Setting[]; owners: string[] }>()
  for (const variant of variants) {
    for (const [name, property] of Object.entries(variant.properties ?? {})) {
      if (name === tag) continue
      const setting = settingOf(`${prefix}.${name}`, property, variant.required?.includes(name) ?? false)
      const id = JSON.stringify(setting)
      const group = groups.get(id) ?? { setting, below: inner(property, setting.key), owners: [] }
      group.owners.push(tagOf(variant))
      groups.set(id, group)
    }
  }
  const kinds = variants.map((variant) => {
    const means = variant.properties?.[tag]?.description
    return means ? `\`${tagOf(variant)}\`: ${means}` : `\`${tagOf(variant)}\``
  })
  return [
    {
      key: `${prefix}.${tag}`,
      type: 'one word',
      required: true,
      default: undefined,
      description: kinds.join('. '),
    },
    ...[...groups.values()].flatMap(({ setting, below, owners }) => {
      if (owners.length === variants.length) return [setting, ...below]
      const only = `Only for ${owners.map((owner) => `\`${owner}\``).join(', ')}. `
      return [{ ...setting, description: `${only}${setting.description}` }, ...below]
    }),
  ]
}

function settingOf(key: string, schema: JsonSchema, required: boolean): Setting {
  return {
    key,
    type: describeType(schema),
    required,
    default: describeDefault(schema),
    description: schema.description ?? '',
  }
}

/** What may stand there, in a few words. */
export function describeType(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(describeType))].join(' or ')
  if (schema.type === 'array') {
    return `list of ${typeof schema.items === 'object' ? plural(describeType(schema.items)) : 'anything'}`
  }
  if (schema.type === 'object') return 'map'
  if (schema.type === 'string') return 'text'
  if (schema.type === 'boolean') return '`true`, `false`'
  return schema.type === 'integer' || schema.type === 'number' ? 'number' : 'anything'
}

function plural(type: string): string {
  if (type.startsWith('list of ')) return type.replace('list', 'lists')
  return /^(duration|size|path|mode|reference|map|number)$/.test(type) ? `${type}s` : type
}

/** An empty map as default says only that it may be left out. */
function describeDefault({ default: value, type }: JsonSchema): string | undefined {
  if (value === undefined || (type === 'object' && JSON.stringify(value) === '{}')) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Settings as a table of Markdown. Pure. */
export function settingsTable(settings: Setting[]): string {
  return markdownTable(
    ['Setting', 'Value', 'Default', 'Meaning'],
    settings.map(({ key, type, required, default: value, description }) => [
      `\`${key}\``,
      type,
      required ? '**required**' : value === undefined ? '' : `\`${value}\``,
      description,
    ]),
  )
}

export function markdownTable(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(escapeCell).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
