import { createHash } from 'node:crypto'

/**
 * Identity of a finding within its job: 32 hex digits over rule and subject. It does not depend on the
 * wording, so a message that changes does not open a second finding.
 */
export function findingFingerprint(rule: string, subject: string): string {
  return createHash('sha256').update(`${rule}\0${subject}`).digest('hex').slice(0, 32)
}
