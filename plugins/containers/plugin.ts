import { definePlugin, expandBraces, globBase, isGlob } from '../../agent/contract/mod.ts'
import { checkContainers } from './check.ts'
import { type Config, configSchema } from './config.ts'
import { storageFiles } from './engine/podman-storage.ts'
import { CONTAINER_RULES, RUNNING_RULES, SYSTEM_RULES } from './rules.ts'
import { AUTH_LOG, CLIENT_FILES, DAEMON_SETTINGS, KEY_FILES, UNIT_FILES } from './system/look.ts'

export default definePlugin({
  name: 'containers',
  summary:
    'Finds containers, compose files and engines (Docker, Podman) that can do more on the host than they should',
  defaults: { schedule: '23 * * * *', timeout: '2m' },
  rules: { ...SYSTEM_RULES, ...CONTAINER_RULES, ...RUNNING_RULES },
  config: configSchema,
  permissions: (config) => ({
    check: {
      list: [...new Set(patternsOf(config).filter(isGlob).map(globBase))],
      read: [
        '/proc',
        '/etc/group',
        '/etc/passwd',
        '/etc/subuid',
        '/etc/subgid',
        '/etc/sudoers',
        '/etc/sudoers.d',
        DAEMON_SETTINGS,
        AUTH_LOG,
        ...[...UNIT_FILES, ...CLIENT_FILES].flatMap(expandBraces),
        ...composeFiles(config),
        ...config.podmanStorage.flatMap(expandBraces).flatMap(storageFiles),
      ],
      net: config.sockets.map((path) => `unix-get:${path}`),
      // A socket is opened by who may write it.
      capabilities: ['CAP_DAC_READ_SEARCH', ...(config.otherUsers ? ['CAP_DAC_OVERRIDE'] : [])],
    },
  }),
  check: checkContainers,
})

function patternsOf(config: Config): string[] {
  return [
    ...config.sockets,
    ...config.compose,
    ...config.podmanStorage,
    ...config.scanReports,
    ...UNIT_FILES,
    ...CLIENT_FILES,
    ...KEY_FILES,
  ].flatMap(expandBraces)
}

/** The files, and the variables beside them. */
function composeFiles({ compose }: Config): string[] {
  const patterns = compose.flatMap(expandBraces)
  return [
    ...new Set([...patterns, ...patterns.map((path) => `${path.slice(0, path.lastIndexOf('/'))}/.env`)]),
  ]
}
