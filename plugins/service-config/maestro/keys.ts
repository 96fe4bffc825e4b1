import type { KeySpec } from '../schema.ts'

// MAESTRO v0.1, from its documents; of the settings of providers and of TLS the names were not to be had, and of
// further sections neither. So nothing is called unknown here but what looks like a misspelling of one of these.

export const KEYS: readonly KeySpec[] = [
  { key: 'config_version', kind: 'integer', min: 2, max: 2 },
  { key: 'server.port', kind: 'integer', min: 1, max: 65_535, byDefault: 9876, variable: 'PORT' },
  { key: 'server.tls', kind: 'any' },
  { key: 'auth.primary_provider', kind: 'choice', choices: ['google', 'gitea', 'local'] },
  { key: 'auth.admin_emails', kind: 'texts' },
  { key: 'auth.session_secret', kind: 'text' },
  { key: 'auth.secure_cookie', kind: 'boolean' },
  { key: 'safety.bash_sandbox', kind: 'choice', choices: ['always', 'auto', 'off'], byDefault: 'auto' },
  { key: 'llm.workers', kind: 'maps' },
  { key: 'llm.metrics.enabled', kind: 'boolean', byDefault: true },
  { key: 'llm.metrics.prefix', kind: 'text' },
  { key: 'llm.metrics.bearer_token', kind: 'text' },
  { key: 'llm.metrics.allowed_hosts', kind: 'texts' },
  { key: 'ssh.enabled', kind: 'boolean', byDefault: false },
  { key: 'mcp.allow_private_addresses', kind: 'boolean', byDefault: false },
]

export const PROVIDERS = ['google', 'gitea', 'local'] as const

/** The name of the key for the address was not to be had: any of these is taken for it. */
export const BIND_KEYS = [
  'host',
  'bind',
  'address',
  'listen',
  'bind_address',
  'bind_addr',
  'bind_host',
  'hostname',
]

export const ENCRYPTION_KEY = 'MCP_ENCRYPTION_KEY'
