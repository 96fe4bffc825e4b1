import type { Finding } from '../../../agent/contract/mod.ts'

/** Pure: a finding where the level is above the limit. */
export function judgeExposure(unit: string, level: number, limit: number): Finding[] {
  if (level <= limit) return []
  return [
    {
      rule: 'unit-exposure',
      subject: unit,
      severity: 'warning',
      summary: `${unit} has the exposure level ${level}, wanted at most ${limit} (0 is safe, 10 is open)`,
      remedy: `systemd-analyze security '${unit}'\n# write what it lists with: systemctl edit '${unit}'`,
      evidence: { level, limit },
    },
  ]
}
