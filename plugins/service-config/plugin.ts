import { definePlugin } from '../../agent/contract/mod.ts'
import { reviewed } from './command-reviewed.ts'
import { configSchema, locate } from './config.ts'
import { readsOf } from './permissions.ts'
import { RULE_IDS, RULES } from './rules.ts'

export default definePlugin({
  name: 'service-config',
  summary:
    'Finds unknown, ineffective and dangerous settings of rostr, rstmdb, MAESTRO and Ofelia, by file and line',
  defaults: { schedule: '*/30 * * * *', timeout: '1m' },
  rules: Object.fromEntries(
    RULE_IDS.map((rule) => {
      const { means, severity, references } = RULES[rule]
      return [rule, { means, severity, references: [...references] }]
    }),
  ),
  config: configSchema,
  permissions: (config) => ({ check: readsOf(config) }),
  // Loaded when it is needed: readers of YAML cost a start more than everything else here.
  watch: (config) => {
    const { files, compose, environmentFiles } = locate(config)
    return { paths: [...files, ...compose, ...environmentFiles] }
  },
  check: async (context) => (await import('./check.ts')).checkService(context),
  commands: { reviewed },
})
