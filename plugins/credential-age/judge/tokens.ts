import type { Finding } from '../../../agent/contract/mod.ts'
import type { Entry } from '../inventory.ts'
import { rules } from '../rules.ts'
import { DAY_MS } from '../timing.ts'
import { roughly } from '../words.ts'

/** An overlap is for changing the clients over, which is a matter of days. */
const LONGEST_OVERLAP_MS = 14 * DAY_MS

/** A name that stands twice in a token-file for long: the old token was never removed. Pure. */
export function judgeTokenOverlap(entries: Entry[], nowMs: number): Finding[] {
  const names = Map.groupBy(
    entries.filter(({ credential: { declaration, label } }) => declaration.kind === 'token-file' && label),
    ({ credential: { path, label } }) => `${path} "${label}"`,
  )
  return [...names].flatMap(([subject, same]): Finding[] => {
    // Since the newest of them came, the older ones are only left over.
    const newestMs = Math.max(...same.map(({ timing }) => timing.setAtMs))
    const [first] = same
    if (!first || same.length < 2 || nowMs - newestMs < LONGEST_OVERLAP_MS) return []
    const { label, path } = first.credential
    return [
      {
        rule: 'credential-rotation-unfinished',
        subject,
        severity: rules['credential-rotation-unfinished'].severity,
        summary: `${path} has had ${same.length} tokens named ${label} side by side for ${roughly(nowMs - newestMs)}`,
        remedy: `When all clients use the new one, remove the old one from ${path} and reload the service`,
        evidence: { tokens: same.length },
      },
    ]
  })
}
