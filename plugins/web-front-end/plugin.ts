import { definePlugin } from '../../agent/contract/mod.ts'
import { checkFrontEnds } from './check.ts'
import { configSchema } from './config.ts'
import { CADDY, NGINX } from './read.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'web-front-end',
  summary: 'Judges nginx and Caddy: TLS, certificates and keys, and how services behind them are reached',
  defaults: { schedule: '@hourly', timeout: '2m' },
  rules,
  config: configSchema,
  permissions: ({ nginx, caddy, directories, certificates }) => ({
    check: {
      read: [...new Set([nginx, caddy, ...directories, ...certificates])],
      run: [
        [NGINX, '-v'],
        [CADDY, 'adapt', '--config', caddy],
      ],
      // Keys are root's alone.
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }),
  watch: ({ nginx, caddy, directories }) => ({ paths: [...new Set([nginx, caddy, ...directories])] }),
  check: checkFrontEnds,
})
