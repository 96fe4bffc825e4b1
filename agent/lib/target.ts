import { globMatcher } from './glob.ts'

export interface FindingIdentity {
  job: string
  rule: string
  subject: string
}

/** Which findings a waiver or a silence is about. No job: those of any. */
export interface Target {
  job?: string | null | undefined
  rule: string
  subject: string
}

/** Pure: whether a finding is meant. `*` in a pattern does not cross "/", `**` does. */
export function concerns(target: Target, finding: FindingIdentity): boolean {
  return (
    (target.job ?? finding.job) === finding.job &&
    matches(target.rule, finding.rule) &&
    matches(target.subject, finding.subject)
  )
}

function matches(pattern: string, text: string): boolean {
  return pattern === '**' || pattern === text || globMatcher([pattern])(text)
}
