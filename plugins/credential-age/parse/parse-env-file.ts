import {
  isSecretName,
  isVariableReference,
  parseAssignments,
  urlPasswords,
} from '../../../agent/contract/mod.ts'
import type { Member, Parsed } from '../credential.ts'
import { decodeText } from '../text.ts'

/**
 * Credentials in a file of KEY=value lines. Without `keys` those variables count whose name looks like a secret or
 * whose value is a URL with a password.
 */
export function parseEnvFile(bytes: Uint8Array, keys?: string[]): Parsed {
  const { assignments, problems } = parseAssignments(decodeText(bytes))
  const members: Member[] = []
  const skipped: string[] = []
  for (const { name, value, line } of assignments.values()) {
    const secret = urlPasswords(value)[0] ?? value
    const wanted = keys ? keys.includes(name) : looksSecret(name, value)
    if (!wanted) continue
    if (isVariableReference(secret) || (secret === '' && !keys)) skipped.push(name)
    else members.push({ id: name, value: secret, confidential: true, line })
  }
  return { members, problems, skipped }
}

function looksSecret(name: string, value: string): boolean {
  if (urlPasswords(value).length > 0) return true
  if (!isSecretName(name)) return false
  // A path leads to a secret, it is none.
  return !/^\/[\w.@/-]+$/.test(value)
}
