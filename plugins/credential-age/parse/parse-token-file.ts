import type { Member, Parsed } from '../credential.ts'
import { decodeLines, isPlainName } from '../text.ts'

/**
 * Tokens, or their hashes, one per line. Blank lines and lines that start with "#" do not count; a comment
 * right above a token, or after it, is its name, and a date in that comment is when it was made.
 */
export function parseTokenFile(bytes: Uint8Array): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  let above = ''
  for (const [index, written] of decodeLines(bytes).entries()) {
    const text = written.trim()
    if (text === '' || text.startsWith('#')) {
      above = text.slice(1)
      continue
    }
    const [, token, after] = /^(\S+)(?:\s+#(.*))?$/.exec(text) ?? []
    if (token === undefined) problems.push(`line ${index + 1}: wanted one token, and a comment after "#"`)
    else members.push({ value: token, confidential: true, line: index + 1, ...describe(after ?? above) })
    above = ''
  }
  if (members.length === 0 && problems.length === 0) members.push({ value: '', confidential: true })
  return { members: withUniqueNames(members), problems: problems.slice(0, 20) }
}

/** "billing-worker 2027-03-31" → its name and the day it was made. */
function describe(comment: string): Pick<Member, 'id' | 'rotatedAtMs'> {
  const date = /(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)/.exec(comment)?.[0]
  const rotatedAtMs = date === undefined ? Number.NaN : Date.parse(date)
  const name = comment.replace(date ?? '', '').trim()
  return {
    ...(isPlainName(name, 3) ? { id: name } : {}),
    ...(Number.isNaN(rotatedAtMs) ? {} : { rotatedAtMs }),
  }
}

/** A name that stands twice, as it does while an old and a new token overlap, names neither. */
function withUniqueNames(members: Member[]): Member[] {
  const uses = new Map<string, number>()
  for (const { id } of members) if (id) uses.set(id, (uses.get(id) ?? 0) + 1)
  return members.map((member) => {
    if (!member.id || uses.get(member.id) === 1) return member
    return { ...member, id: undefined, label: member.id }
  })
}
