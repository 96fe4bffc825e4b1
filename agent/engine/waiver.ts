import type { WaiverConfig } from '../config/schema.ts'
import { globMatcher } from '../lib/glob.ts'

/** The waiver that accepts a finding today, if any. `*` in a pattern does not cross "/", `**` does. Pure. */
export function waiverFor(
  waivers: WaiverConfig[],
  finding: { job: string; rule: string; subject: string },
  now: number,
): WaiverConfig | undefined {
  const today = new Date(now).toISOString().slice(0, 10)
  return waivers.find(
    (waiver) =>
      waiver.expires >= today &&
      (waiver.job === undefined || waiver.job === finding.job) &&
      matches(waiver.rule, finding.rule) &&
      matches(waiver.subject, finding.subject),
  )
}

function matches(pattern: string, text: string): boolean {
  return pattern === '**' || pattern === text || globMatcher([pattern])(text)
}
