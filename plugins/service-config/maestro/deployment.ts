import type { Finding } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import type { YamlConfig } from '../yaml-config.ts'

export interface Deployment {
  config: YamlConfig
  runtime: Runtime
  /** Of data/secrets/session-secret.key; undefined where there is none. */
  sessionKeyBytes: number | undefined
  settings: Config
}

export const RESTART = 'systemctl restart maestro'

/** A finding about a key of the configuration. */
export function say(
  { config }: Deployment,
  rule: RuleId,
  key: string,
  summary: string,
  remedy?: string,
  severity?: Finding['severity'],
): Finding {
  return complain(rule, { key, place: config.place(key), summary, remedy, ...(severity ? { severity } : {}) })
}
