import { ANY_ARGUMENTS, definePlugin, globBase, globMatcher, isGlob } from '../../agent/contract/mod.ts'
import { checkSystemd, UFW_SETTINGS } from './check.ts'
import { configSchema, homeOf } from './config.ts'
import { userDirectories } from './files/unit-tree.ts'
import { SECURITY } from './live/exposure.ts'
import { CALENDAR } from './live/periods.ts'
import { SHOW } from './live/systemctl.ts'
import { RULES } from './rules.ts'

/** Where unit files are, of the system and of all users. */
const UNIT_FILES = [
  '/etc/systemd',
  '/run/systemd',
  '/usr/lib/systemd',
  '/lib/systemd',
  '/usr/local/lib/systemd',
]

export default definePlugin({
  name: 'systemd-units',
  summary: 'Finds units of systemd that failed, missed their time, run with too much power or not at all',
  defaults: { schedule: '*/10 * * * *', timeout: '2m' },
  rules: RULES,
  config: configSchema,
  permissions: (config) => {
    const owned = config.units.filter(({ owner }) => owner !== undefined)
    const patterns = config.units.flatMap(({ files }) => files).filter(isGlob)
    const withExposure = config.units.some(({ exposure }) => exposure !== undefined)
    const own = owned.flatMap((demands) => userDirectories(homeOf(demands)))
    return {
      check: {
        list: [...new Set(patterns.map(globBase))],
        read: [
          ...UNIT_FILES,
          // Units that root has linked in from elsewhere: a pattern grants what its links lead to.
          '/etc/systemd/system/*',
          // Masks of signals, times of starts.
          '/proc',
          ...(owned.length > 0 ? ['/sys/fs/cgroup'] : []),
          ...(config.purposes.some(({ anyOf }) => globMatcher(anyOf)('ufw.service')) ? [UFW_SETTINGS] : []),
          // Programs of systemd look there for the language.
          '/etc/default/locale',
          '/etc/locale.conf',
          ...new Set(own.filter((path) => !UNIT_FILES.some((base) => path.startsWith(`${base}/`)))),
        ],
        // Units of a user lie in a private home.
        ...(owned.length > 0 || patterns.length > 0 ? { capabilities: ['CAP_DAC_READ_SEARCH'] } : {}),
        // root talks to the manager itself, others over the bus.
        net: ['unix:/run/systemd/private', 'unix:/run/dbus/system_bus_socket'],
        run: [
          [...SHOW, ANY_ARGUMENTS],
          [...CALENDAR, ANY_ARGUMENTS],
          ...(withExposure ? [[...SECURITY, ANY_ARGUMENTS] as [string, ...string[]]] : []),
        ],
      },
    }
  },
  check: checkSystemd,
})
