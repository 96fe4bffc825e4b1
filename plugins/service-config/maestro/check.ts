import type { Finding } from '../../../agent/contract/mod.ts'
import type { Look, Outcome } from '../look.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { judgeMaestro } from './judge.ts'
import { judgeKeys } from './judge-keys.ts'

export function checkMaestro(look: Look): Outcome {
  const findings: Finding[] = []
  for (const config of look.yamlConfigs()) findings.push(...checkFile(look, config))
  if (look.paths.length === 0) {
    const [path = 'config.yaml'] = look.locations.files
    look.files.dark(
      path,
      'it is not there, and the rest of MAESTRO is: name its configuration by "files" or "maestro.directory"',
    )
  }
  return { findings }
}

function checkFile(look: Look, config: YamlConfig): Finding[] {
  const directory = config.path.slice(0, Math.max(1, config.path.lastIndexOf('/')))
  const sessionKey = look.files.host.statTarget(`${directory}/data/secrets/session-secret.key`)
  const written = judgeKeys(config)
  return [
    ...written,
    ...look.runtimes.flatMap((runtime) =>
      judgeMaestro({ config, runtime, sessionKeyBytes: sessionKey?.size, settings: look.config }),
    ),
  ]
}
