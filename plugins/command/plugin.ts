import { definePlugin, type Permissions } from '../../agent/contract/mod.ts'
import { applyAction, checkAction } from './action.ts'
import { checkProgram } from './check.ts'
import { type Config, configSchema } from './config.ts'

export default definePlugin({
  name: 'command',
  summary: 'Runs any program: a check with the exit codes of a Nagios plugin, or an action that recurs',
  defaults: { schedule: '*/5 * * * *', timeout: '5m' },
  rules: {
    'command-warning': { means: 'The program ended with 1, a warning', severity: 'warning' },
    'command-critical': { means: 'The program ended with 2, critical', severity: 'critical' },
    'action-due': { means: 'A recurring action is to be run', severity: 'info' },
    'action-failed': { means: 'The last run of an action did not succeed', severity: 'warning' },
  },
  config: configSchema,
  permissions,
  check: async (ctx) => (ctx.config.kind === 'action' ? checkAction(ctx) : checkProgram(ctx)),
  apply: applyAction,
})

function permissions(config: Config): { check: Omit<Permissions, 'write'>; apply?: Permissions } {
  const { write, run = [], ...needed } = config.permissions
  const program: Omit<Permissions, 'write'> = {
    ...needed,
    run: [config.argv, ...run],
    secrets: Object.values(config.secretEnvironment),
  }
  return config.kind === 'check' ? { check: program } : { check: {}, apply: { ...program, write } }
}
