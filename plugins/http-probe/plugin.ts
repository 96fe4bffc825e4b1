import { definePlugin } from '../../agent/contract/mod.ts'
import { checkProbes } from './check.ts'
import { configSchema } from './config.ts'
import { rules } from './rules.ts'
import { netEntry } from './target.ts'

export default definePlugin({
  name: 'http-probe',
  summary: 'Asks services of this host: do they refuse who has no token, and answer as they should',
  defaults: { schedule: '*/15 * * * *', timeout: '5m' },
  rules,
  config: configSchema,
  permissions: ({ probes }) => {
    const read = probes.flatMap(({ authority, certificate }) => [authority ?? [], certificate ?? []].flat())
    const secrets = probes.flatMap(({ secretHeaders }) =>
      Object.values(secretHeaders).map(({ secret }) => secret),
    )
    return {
      check: {
        net: [...new Set(probes.map(netEntry))],
        ...(read.length > 0 ? { read: [...new Set(read)], capabilities: ['CAP_DAC_READ_SEARCH'] } : {}),
        ...(secrets.length > 0 ? { secrets: [...new Set(secrets)] } : {}),
      },
    }
  },
  check: checkProbes,
})
