import type { Finding } from '../../../agent/contract/mod.ts'
import type { Look, Outcome } from '../look.ts'
import { judgeConfiguration, judgeEnvironment, usesUptimeKuma } from './judge.ts'

export function checkRostr(look: Look): Outcome {
  const configs = look.yamlConfigs()
  const findings: Finding[] = configs.flatMap((config) => judgeConfiguration(config))
  const usesKuma = configs.some((config) => usesUptimeKuma(config))
  const hasApi = look.runtimes.some(({ kind }) => kind === 'unit')
  for (const runtime of look.runtimes) {
    findings.push(
      ...judgeEnvironment(runtime, {
        usesKuma:
          usesKuma && (runtime.kind === 'unknown' || !look.runtimes.some((it) => it.kind === 'unknown')),
      }),
    )
  }
  const reason = 'no unit of this user runs rostr: there is no registration API'
  return { findings, inapplicable: hasApi ? [] : [{ rule: 'open-groups', reason }] }
}
