import type { Finding, Scalar } from '../../agent/contract/mod.ts'
import { GENERAL_RULES } from './rules/general.ts'
import { OFELIA_RULES } from './rules/ofelia.ts'
import type { Service } from './rules/services.ts'
import { describePlace, type Place, subjectOf } from './setting.ts'

export { SERVICES, type Service } from './rules/services.ts'

/** What each rule means, and about which programs it is. */
export const RULES = { ...GENERAL_RULES, ...OFELIA_RULES }

export type RuleId = keyof typeof RULES

/** Rules that are about a service. */
export function rulesOf(service: Service): RuleId[] {
  return RULE_IDS.filter((rule) => (RULES[rule].of as readonly Service[]).includes(service))
}

export const RULE_IDS = Object.keys(RULES).filter((rule): rule is RuleId => Object.hasOwn(RULES, rule))

export interface Complaint {
  /** Of the setting; empty for the file as a whole. */
  key: string
  place: Place
  summary: string
  remedy?: string | undefined
  severity?: Finding['severity']
  evidence?: Record<string, Scalar>
}

/** A finding about a setting, with the place at the end of its summary. */
export function complain(
  rule: RuleId,
  { key, place, summary, remedy, severity, evidence }: Complaint,
): Finding {
  const { severity: usual, references } = RULES[rule]
  return {
    rule,
    subject: subjectOf(place.path, key),
    severity: severity ?? usual,
    summary: `${summary} (${describePlace(place)})`,
    remedy,
    evidence: { path: place.path, line: place.line ?? null, ...evidence },
    references: [...references],
  }
}
