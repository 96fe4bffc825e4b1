import { definePlugin } from '../../agent/contract/mod.ts'
import { checkSecrets } from './check.ts'
import { configSchema } from './config.ts'
import { permissionsOf } from './permissions.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'secret-scan',
  summary:
    'Finds secrets where they should not be: configuration, units, logs, repositories, arguments, histories',
  defaults: { schedule: '@daily', timeout: '1h' },
  rules,
  config: configSchema,
  permissions: permissionsOf,
  check: checkSecrets,
})
