import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Record<string, string | undefined>

const SYSTEM_CONFIG = '/etc/reeve/reeve.yaml'

/** Whether this process works for the host (root, or the service user) and not for a person. */
function isSystem(env: Environment): boolean {
  return (
    process.getuid?.() === 0 || env.STATE_DIRECTORY !== undefined || env.CONFIGURATION_DIRECTORY !== undefined
  )
}

/** The configuration: --config, REEVE_CONFIG, that of the host, or a person's own under XDG_CONFIG_HOME. */
export function configPath(option: string | undefined, env: Environment): string {
  if (option) return option
  if (env.REEVE_CONFIG) return env.REEVE_CONFIG
  const own = userConfigPath(env)
  if (isSystem(env) || (existsSync(SYSTEM_CONFIG) && !existsSync(own))) return SYSTEM_CONFIG
  return own
}

export function userConfigPath(env: Environment): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'reeve', 'reeve.yaml')
}

/** Database, keys and job state: REEVE_STATE_DIR, the configuration, or the default of host or person. */
export function stateDirectory(configured: string | undefined, env: Environment, usedConfig: string): string {
  if (env.REEVE_STATE_DIR) return env.REEVE_STATE_DIR
  if (configured) return configured
  if (usedConfig === SYSTEM_CONFIG || isSystem(env)) return '/var/lib/reeve'
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'reeve')
}

/** The unix socket: as configured, in /run/reeve for the host, under XDG_RUNTIME_DIR for a person, else none. */
export function socketPath(
  configured: string | false | undefined,
  env: Environment,
  stateDir: string,
): string | null {
  if (configured === false) return null
  if (configured) return configured
  if (stateDir === '/var/lib/reeve') return '/run/reeve/reeve.sock'
  return join(env.XDG_RUNTIME_DIR || stateDir, env.XDG_RUNTIME_DIR ? 'reeve.sock' : 'api.sock')
}
