import { sha256 } from './digest.ts'

/**
 * Identity of a finding within its job: 32 hex digits over rule and subject. It does not depend on the
 * wording, so a message that changes does not open a second finding.
 */
export function findingFingerprint(rule: string, subject: string): string {
  return sha256(`${rule}\0${subject}`).slice(0, 32)
}
