import { type Finding, globMatcher } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'

export interface Candidate {
  name: string
  /** Undefined: no manager runs that could say it. */
  isActive: boolean | undefined
  isEnabled: boolean
}

/** Pure: a finding when none of the units does what one of them has to. */
export function judgePurpose(purpose: Config['purposes'][number], units: readonly Candidate[]): Finding[] {
  const isMeant = globMatcher(purpose.anyOf)
  const found = units.filter(({ name }) => isMeant(name))
  const serves = found.some(
    ({ isActive, isEnabled }) => (!purpose.running || isActive !== false) && (!purpose.atBoot || isEnabled),
  )
  if (serves) return []
  const wanted = [
    ...(purpose.running ? ['runs'] : []),
    ...(purpose.atBoot ? ['is started with the host'] : []),
  ]
  const states = found.map(
    ({ name, isActive, isEnabled }) =>
      `${name}: ${isActive === undefined ? '' : isActive ? 'active, ' : 'not active, '}${isEnabled ? 'enabled' : 'not enabled'}`,
  )
  const [first = purpose.anyOf[0] ?? ''] = found.map(({ name }) => name)
  return [
    {
      rule: 'purpose-unserved',
      subject: purpose.name,
      severity: 'warning',
      summary: `No unit for "${purpose.name}" ${wanted.join(' and ')}: ${states.join('; ') || `there is none of ${purpose.anyOf.join(', ')}`}`,
      remedy: `${found.length === 0 ? `# install one of ${purpose.anyOf.join(', ')}, then:\n` : ''}systemctl enable --now '${first}'`,
      evidence: { found: found.map(({ name }) => name).join(', ') || null },
    },
  ]
}
