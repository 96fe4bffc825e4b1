import { configSchema } from '../../agent/config/schema.ts'
import { describeInput, listSettings, settingsTable } from './settings.ts'

/** Every setting of the configuration file, a table for each of its parts. */
export function configurationReference(): string {
  const { properties = {}, required = [] } = describeInput(configSchema)
  return Object.entries(properties)
    .map(([name, schema]) => {
      const settings = listSettings({ properties: { [name]: schema }, required })
      return `### ${name}\n\n${settingsTable(settings)}`
    })
    .join('\n\n')
}
