import type { WaiverConfig } from '../config/schema.ts'
import type { Finding } from '../contract/report.ts'
import { concerns, type FindingIdentity } from '../lib/target.ts'
import { isActive } from './waiver.ts'

/** Rules about the waivers of the configuration, which reeve adds to those of the plugins. */
export const WAIVER_RULES = {
  'waiver-expired': {
    means: 'The last day of a waiver is over: what it accepted counts again',
    severity: 'warning',
  },
  'waiver-unused': {
    means: 'A waiver accepts nothing that there is, or was in the last 30 days',
    severity: 'info',
  },
} as const

/**
 * Pure: which waivers are over, and which accept nothing. `found` are the findings that are open or were until
 * lately; `hasLooked` says of a job (null: of all) whether its findings are known at all.
 */
export function reviewWaivers(
  waivers: WaiverConfig[],
  found: FindingIdentity[],
  hasLooked: (job: string | null) => boolean,
  now: number,
): Finding[] {
  return waivers.flatMap((waiver): Finding[] => {
    const target = `${waiver.rule} on ${waiver.subject}${waiver.job ? ` of ${waiver.job}` : ''}`
    const evidence = { owner: waiver.owner, expires: waiver.expires }
    if (!isActive(waiver, now)) {
      return [
        {
          rule: 'waiver-expired',
          subject: `waiver ${target}`,
          severity: WAIVER_RULES['waiver-expired'].severity,
          summary: `The waiver for ${target} ended with ${waiver.expires}`,
          remedy: `Mend what it accepted ("${waiver.reason}"), or ask ${waiver.owner} for another day; then take it out of \`waivers\``,
          evidence,
        },
      ]
    }
    if (!hasLooked(waiver.job ?? null) || found.some((finding) => concerns(waiver, finding))) return []
    return [
      {
        rule: 'waiver-unused',
        subject: `waiver ${target}`,
        severity: WAIVER_RULES['waiver-unused'].severity,
        summary: `The waiver for ${target} accepts nothing`,
        remedy: 'Take it out of `waivers`: it would hide what comes later',
        evidence,
      },
    ]
  })
}
