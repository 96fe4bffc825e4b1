import type { z } from '../../../agent/contract/mod.ts'
import type { rule } from './rule-config.ts'

/** A rule as it stands in a configuration, of one path. */
export type ImportedRule = Omit<z.input<typeof rule>, 'path'> & { path: string }

/** What of a file became rules, and what did not. */
export interface Imported {
  rules: ImportedRule[]
  /** Lines that say nothing that a rule can, with the reason. */
  skipped: { line: string; reason: string }[]
}

/** As YAML below `config:` of a job: every rule on a line of its own. */
export function formatRules(rules: readonly ImportedRule[]): string {
  const lines = rules.map((rule) => {
    const settings = Object.entries(rule).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    return `  - { ${settings.join(', ')} }`
  })
  return ['rules:', ...lines].join('\n')
}
