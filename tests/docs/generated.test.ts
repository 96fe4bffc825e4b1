import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { configSchema } from '../../agent/config/schema.ts'
import { absolutePath, duration } from '../../agent/contract/mod.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { editorSchema } from '../../scripts/docs/editor-schema.ts'
import { describeInput, listSettings, settingsTable } from '../../scripts/docs/settings.ts'
import { stalePages } from '../../scripts/docs.ts'

const registry = await builtInPlugins.load(builtInPlugins.names)

test('the reference pages are what the code says (else run: bun scripts/docs.ts)', async () => {
  expect(await stalePages()).toEqual([])
})

const schemas = [
  ['the configuration', configSchema] as const,
  ...[...registry.values()].map(({ name, config }) => [name, config as z.ZodType] as const),
]

test.each(schemas)('every setting of %s is described', (_name, schema) => {
  const settings = listSettings(describeInput(schema))
  expect(settings.length).toBeGreaterThan(0)
  expect(settings.filter(({ description }) => description === '').map(({ key }) => key)).toEqual([])
})

describe('listSettings()', () => {
  test('names fields of the contract, defaults, and what is required', () => {
    const schema = z.strictObject({
      path: absolutePath.refine((path) => path !== '/').describe('Where'),
      ages: z.array(duration).default([]).describe('How old'),
      every: duration.prefault('5m').describe('How often'),
      grace: duration.default(90_000).describe('How patient'),
      level: z.enum(['low', 'high']).optional().describe('How much'),
    })
    expect(listSettings(describeInput(schema))).toEqual([
      { key: 'path', type: 'path', required: true, default: undefined, description: 'Where' },
      { key: 'ages', type: 'list of durations', required: false, default: '[]', description: 'How old' },
      { key: 'every', type: 'duration', required: false, default: '5m', description: 'How often' },
      { key: 'grace', type: 'duration', required: false, default: '1m30s', description: 'How patient' },
      { key: 'level', type: '`low`, `high`', required: false, default: undefined, description: 'How much' },
    ])
  })

  test('goes into lists, maps by name, and choices', () => {
    const inner = z.strictObject({ deep: z.string().describe('Deep') })
    const schema = z.strictObject({
      list: z.array(inner).describe('List'),
      byName: z.record(z.string(), inner).describe('By name'),
      choice: z.union([z.string(), inner]).describe('Choice'),
    })
    expect(listSettings(describeInput(schema)).map(({ key, type }) => `${key}: ${type}`)).toEqual([
      'list: list of maps',
      'list[].deep: text',
      'byName: map',
      'byName.NAME.deep: text',
      'choice: text or map',
      'choice.deep: text',
    ])
  })

  test('tells once what all alternatives have, and of the rest who has it', () => {
    const common = { name: z.string().describe('Name') }
    const schema = z.strictObject({
      channels: z
        .array(
          z.discriminatedUnion('type', [
            z.strictObject({
              ...common,
              type: z.literal('a').describe('First'),
              key: z.string().describe('Key'),
            }),
            z.strictObject({ ...common, type: z.literal('b').describe('Second') }),
          ]),
        )
        .describe('Channels'),
    })
    expect(listSettings(describeInput(schema)).map(({ key, description }) => [key, description])).toEqual([
      ['channels', 'Channels'],
      ['channels[].type', '`a`: First. `b`: Second'],
      ['channels[].name', 'Name'],
      ['channels[].key', 'Only for `a`. Key'],
    ])
  })
})

test('settingsTable() keeps a bar in a text from being a column', () => {
  const setting = { key: 'a', type: 'text', required: true, default: undefined, description: 'x|y' }
  expect(settingsTable([setting]).split('\n')[2]).toBe('| `a` | text | **required** | x\\|y |')
})

test('editorSchema() knows the settings of a plugin where a job uses it', () => {
  const text = JSON.stringify(editorSchema(registry))
  for (const name of registry.keys()) expect(text).toContain(`"const":"${name}"`)
  expect(text).not.toContain('"title":"duration"')
})
