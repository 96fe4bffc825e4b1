import type { CheckContext, Fact, Finding, HostReader } from '../../agent/contract/mod.ts'
import { type Config, type Locations, locate } from './config.ts'
import { Files } from './files.ts'
import type { ComposeService } from './read/compose.ts'
import { parseYaml } from './read/yaml.ts'
import { type RuleId, rulesOf } from './rules.ts'
import { findRuntimes, type Runtime, readCompose } from './runtime.ts'
import { YamlConfig } from './yaml-config.ts'

/** Rules that the files of a configuration decide alone, whatever is in the environment. */
const OF_FILES_ALONE: readonly RuleId[] = [
  'unknown-key',
  'ineffective-key',
  'deprecated-key',
  'duplicate-key',
  'truncated-value',
  'configuration-changed',
]

/** What a check of one service looks at. */
export interface Look {
  config: Config
  locations: Locations
  files: Files
  /** Of all its Compose files. */
  services: ComposeService[]
  /** At least one. */
  runtimes: Runtime[]
  /** Those of the configuration files that are there. */
  paths: string[]
  yamlConfigs(): YamlConfig[]
}

/** What judging a service takes beside what was read. */
export type Circumstances = Pick<CheckContext<Config>, 'config' | 'host' | 'now' | 'signal'>

/** What a look at one service came to, beside what the files themselves tell. */
export interface Outcome {
  findings: Finding[]
  facts?: Fact[]
  /** Rules that have nothing to judge on this host. */
  inapplicable?: { rule: RuleId; reason: string }[]
}

/** Undefined: nothing of the service is on this host. */
export function lookAround(host: HostReader, config: Config): Look | undefined {
  const locations = locate(config)
  const rules = rulesOf(config.service)
  const files = new Files(host, rules)
  const paths = [...new Set(locations.files.flatMap((pattern) => files.match(pattern)))]
  const services = readCompose(files, locations.compose)
  const runtimes = findRuntimes(files, {
    units: locations.units,
    unitDirectories: locations.unitDirectories,
    services,
    environmentFiles: locations.environmentFiles,
    byHandToo: config.service === 'rostr',
    isProgram: (service) => isImageOf(config.service, service),
    runsProgram: (command) => new RegExp(`(?:^|[/\\s])${config.service}(?:[\\s]|$)`).test(command),
  })
  const isStarted = runtimes.some(({ kind }) => kind !== 'unknown')
  if (paths.length === 0 && !isStarted && files.blind.length === 0 && !hasSign(host, locations))
    return undefined
  const toldNothing = locations.units.length === 0 && locations.compose.length === 0
  for (const runtime of runtimes) {
    if (runtime.kind === 'unknown' && toldNothing) runtime.complete = true
    if (runtime.complete) continue
    const reason =
      runtime.kind === 'unknown'
        ? `no unit (${locations.units.join(', ')}) and no Compose file starts it: which variables it gets is not known; say so with "units" and "compose"`
        : 'not all variables that it is started with could be read'
    files.blind.push({
      subject: runtime.kind === 'unknown' ? config.service : runtime.name,
      reason,
      rules: rules.filter((rule) => !OF_FILES_ALONE.includes(rule)),
    })
  }
  return { config, locations, files, services, runtimes, paths, yamlConfigs: () => readYaml(files, paths) }
}

function hasSign(host: HostReader, { signs }: Locations): boolean {
  return signs.some((sign) =>
    sign.includes('*') ? host.glob(sign, () => {}).length > 0 : host.statTarget(sign) !== undefined,
  )
}

function readYaml(files: Files, paths: string[]): YamlConfig[] {
  const configs: YamlConfig[] = []
  for (const path of paths) {
    const text = files.text(path)
    if (text === undefined) continue
    try {
      configs.push(new YamlConfig(path, parseYaml(text)))
    } catch (error) {
      files.refuse(path, error)
    }
  }
  return configs
}

/** "ghcr.io/netresearch/ofelia:0.29.0" is of ofelia, and so is a service of that name without an image. */
function isImageOf(program: string, { image, name }: ComposeService): boolean {
  if (!image) return name === program
  const repository = image.text.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  return repository.slice(repository.lastIndexOf('/') + 1).toLowerCase() === program
}
