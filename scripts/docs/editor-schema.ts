import { configSchema } from '../../agent/config/schema.ts'
import type { Registry } from '../../agent/contract/plugin.ts'
import { describeInput, type JsonSchema } from './settings.ts'

/**
 * JSON Schema of the whole configuration for editors: that of the file, and for a job of a built-in plugin that
 * of the plugin's own settings. Names of fields are left out: an editor would show them instead of the key.
 */
export function editorSchema(registry: Registry): object {
  const schema = withoutTitles(describeInput(configSchema))
  const job = schema.properties?.jobs?.additionalProperties
  if (typeof job !== 'object') throw new Error('the configuration has no map of jobs')
  const ofPlugins = [...registry.values()].map((plugin) => {
    const { $schema: _dialect, ...config }: JsonSchema & { $schema?: string } = withoutTitles(
      describeInput(plugin.config),
    )
    return {
      if: { properties: { plugin: { const: plugin.name } } },
      // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema
      then: { properties: { config } },
    }
  })
  return {
    ...schema,
    properties: {
      ...schema.properties,
      jobs: { ...schema.properties?.jobs, additionalProperties: { ...job, allOf: ofPlugins } },
    },
  }
}

function withoutTitles<T extends JsonSchema>(schema: T): T {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === 'title' && typeof value === 'string' ? undefined : value,
  )
}
