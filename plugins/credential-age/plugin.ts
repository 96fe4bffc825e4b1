import { definePlugin } from '../../agent/contract/mod.ts'
import { check } from './check.ts'
import { configSchema } from './config.ts'
import { discoverCommand } from './discover/discover.ts'
import { compromisedCommand } from './incident/command.ts'
import { checkPermissions } from './places.ts'
import { applyRotations, rotateCommand } from './rotation/command.ts'
import { rotationPermissions } from './rotation/permissions.ts'
import { problemOf, rotatablesOf } from './rotation/rotatable.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'credential-age',
  summary: 'Reminds of tokens, keys and certificates that must be rotated, and finds weak and exposed ones',
  defaults: { schedule: '30 6 * * *', timeout: '10m' },
  rules,
  config: configSchema,
  permissions: (config) => {
    const rotatables = rotatablesOf(config).filter((one) => problemOf(one) === undefined)
    return {
      check: checkPermissions(config),
      ...(rotatables.length > 0 ? { apply: rotationPermissions(rotatables) } : {}),
    }
  },
  check,
  apply: applyRotations,
  commands: { compromised: compromisedCommand, discover: discoverCommand, rotate: rotateCommand },
})
