import type { PluginSource } from '../contract/plugin.ts'

/** How a verb of a plugin is best written: "backup list", or by the plugin's short name "logs", "logs verify". */
export function verbName(
  { shortNames = {} }: Pick<PluginSource, 'shortNames'>,
  plugin: string,
  verb: string,
): string {
  const [word, short] = Object.entries(shortNames).find(([, entry]) => entry.plugin === plugin) ?? []
  if (!word) return `${plugin} ${verb}`
  return short?.verb === verb ? word : `${word} ${verb}`
}
