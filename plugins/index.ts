import type { PluginSpec, Registry } from '../agent/contract/mod.ts'

// biome-ignore lint/suspicious/noExplicitAny: specs of different configs; each is checked where it is defined
const plugins: PluginSpec<any>[] = []

/** Every built-in plugin: one import and one line each. */
export const registry: Registry = new Map(plugins.map((plugin) => [plugin.name, plugin]))
