import type { PluginSpec, Registry } from '../agent/contract/mod.ts'
import credentialAge from './credential-age/plugin.ts'
import logRotation from './log-rotation/plugin.ts'
import permissionDrift from './permission-drift/plugin.ts'

// biome-ignore lint/suspicious/noExplicitAny: specs of different configs; each is checked where it is defined
const plugins: PluginSpec<any>[] = [permissionDrift, logRotation, credentialAge]

/** Every built-in plugin: one import and one line each. */
export const registry: Registry = new Map(plugins.map((plugin) => [plugin.name, plugin]))
