import { definePlugin } from '../../agent/contract/mod.ts'
import { checkProcesses } from './check.ts'
import { configSchema } from './config.ts'
import { RULES } from './rules.ts'

export default definePlugin({
  name: 'processes',
  summary: 'Finds processes that run what was replaced or removed, as the wrong user or with too much power',
  defaults: { schedule: '*/10 * * * *', timeout: '1m' },
  rules: RULES,
  config: configSchema,
  permissions: ({ rootListeners }) => ({
    check: {
      read: ['/proc'],
      processes: ['files', ...(rootListeners === 'finding' ? ['sockets'] : [])],
    },
  }),
  check: checkProcesses,
})
