import { absolutePath, duration, z } from '../../agent/contract/mod.ts'
import { SERVICES } from './rules.ts'

const paths = z.array(absolutePath).max(100)
const names = z.array(z.string().min(1).max(200)).max(100)

const rstmdb = z
  .strictObject({
    tokenFiles: paths
      .default(['/etc/rstmdb/tokens', '/etc/rstmdb/tokens.secret'])
      .describe('Files with hashes of tokens that may be read'),
    mutualTls: z.boolean().default(true).describe('Clients from elsewhere have to show a certificate'),
    clients: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe('How many services use it: there must be a token for each'),
  })
  .prefault({})
  .describe('For rstmdb')

const maestro = z
  .strictObject({
    directory: absolutePath.default('/opt/maestro').describe('Where it is installed, with `data/` in it'),
    tls: z
      .enum(['native', 'proxy'])
      .default('native')
      .describe('Who ends TLS: the program, or a proxy in front of it'),
    administrators: z
      .int()
      .min(1)
      .max(1000)
      .default(3)
      .describe('More administrators than this are too many'),
  })
  .prefault({})
  .describe('For MAESTRO')

const ofelia = z
  .strictObject({
    criticalJobs: names
      .default(['*backup*', '*dump*', '*restore*', '*migrat*', '*vacuum*'])
      .describe('Patterns of the names of jobs that must not run beside themselves'),
    program: absolutePath
      .optional()
      .describe('The program itself, to ask it too (`ofelia validate`). Default: it is not asked'),
  })
  .prefault({})
  .describe('For Ofelia')

export const configSchema = z.strictObject({
  service: z.enum(SERVICES).describe('Whose configuration this is about'),
  files: paths
    .optional()
    .describe('Its configuration files, or patterns. Default: where its documents have them'),
  units: names
    .optional()
    .describe(
      'Names of its systemd units, or patterns. Default: the usual one; for rostr every one that runs it',
    ),
  compose: paths
    .optional()
    .describe(
      'Compose files in which it, or a job of it, may be. Default: the usual places of its directory',
    ),
  environmentFiles: paths
    .default([])
    .describe(
      'Files of variables: those that its unit names outside of the usual places, and those of a program that is started by hand',
    ),
  home: absolutePath
    .default('/home/*')
    .describe('Home of the user that runs it, or a pattern: for rostr, which is installed there'),
  addresses: names
    .default([])
    .describe(
      'Addresses that it may listen on beside loopback and private ones: "0.0.0.0" behind a firewall',
    ),
  reviewWithin: duration
    .prefault('24h')
    .describe('A changed configuration that nobody has looked over for so long is a warning'),
  rstmdb,
  maestro,
  ofelia,
})

export type Config = z.output<typeof configSchema>

const SYSTEM_UNITS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
]
const COMPOSE_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']

/** Where the parts of a configuration are on a host. All are patterns. */
export interface Locations {
  files: string[]
  unitDirectories: string[]
  units: string[]
  compose: string[]
  environmentFiles: string[]
  /** Further files that are read, or whose presence matters. */
  others: string[]
  /** Files and directories that show that it is installed. */
  signs: string[]
}

/** Pure: the places of a job, from its settings alone. */
export function locate(config: Config): Locations {
  const usual = USUAL[config.service](config)
  return {
    ...usual,
    files: config.files ?? usual.files,
    units: config.units ?? usual.units,
    compose: config.compose ?? usual.compose,
    environmentFiles: [...usual.environmentFiles, ...config.environmentFiles],
  }
}

const system = (service: string) => ({
  unitDirectories: SYSTEM_UNITS,
  units: [`${service}.service`],
  compose: ['/etc', '/opt', '/srv'].flatMap((directory) =>
    COMPOSE_NAMES.map((name) => `${directory}/${service}/${name}`),
  ),
})

const USUAL: Record<Config['service'], (config: Config) => Locations> = {
  rstmdb: ({ rstmdb }) => ({
    ...system('rstmdb'),
    files: ['/etc/rstmdb/config.yaml'],
    environmentFiles: [],
    others: [
      ...rstmdb.tokenFiles,
      '/etc/default/rstmdb',
      '/etc/rstmdb/env',
      '/etc/rstmdb/rstmdb.env',
      '/etc/logrotate.d/rstmdb',
    ],
    signs: ['/etc/rstmdb', '/usr/local/bin/rstmdb', '/usr/bin/rstmdb', '/var/lib/rstmdb'],
  }),
  maestro: ({ maestro: { directory } }) => ({
    ...system('maestro'),
    compose: COMPOSE_NAMES.map((name) => `${directory}/${name}`),
    files: [`${directory}/config.yaml`],
    environmentFiles: [],
    others: [`${directory}/.env`, '/etc/default/maestro', '/etc/maestro/env'],
    signs: [`${directory}/config.yaml`, `${directory}/data`],
  }),
  ofelia: () => ({
    ...system('ofelia'),
    files: ['/etc/ofelia/config.ini', '/etc/ofelia/conf.d/*.ini'],
    environmentFiles: [],
    others: ['/etc/default/ofelia', '/etc/ofelia/env', '/etc/ofelia/ofelia.env'],
    signs: ['/etc/ofelia', '/usr/local/bin/ofelia', '/usr/bin/ofelia', '/etc/ofelia.ini'],
  }),
  rostr: ({ home }) => ({
    files: [`${home}/.rostr/config.yaml`],
    unitDirectories: [`${home}/.config/systemd/user`],
    units: ['*.service'],
    compose: [],
    environmentFiles: [`${home}/.config/rostr/env`],
    others: [],
    signs: [`${home}/.rostr`, `${home}/.config/rostr`],
  }),
}
