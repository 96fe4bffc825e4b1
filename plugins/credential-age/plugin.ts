import { definePlugin } from '../../agent/contract/mod.ts'
import { check } from './check.ts'
import { configSchema } from './config.ts'
import { checkPermissions } from './places.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'credential-age',
  summary: 'Reminds of tokens, keys and certificates that must be rotated, and finds weak and exposed ones',
  defaults: { schedule: '30 6 * * *', timeout: '10m' },
  rules,
  config: configSchema,
  permissions: (config) => ({ check: checkPermissions(config) }),
  check,
})
