import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { NATIONAL_ID, PAYMENT_CARD, PersonalDataScanner } from './judge-personal-data.ts'
import type { RuleName } from './rules.ts'
import type { FileMatch } from './scan-file.ts'
import type { Look } from './scan-files.ts'

/** Files in which people must not be found: numbers of payment cards, of social security. */
export async function checkPersonalData(look: Look): Promise<void> {
  const { personalData, nationalIds } = look.context.config
  const rules: RuleName[] = nationalIds ? ['payment-card', 'national-id'] : ['payment-card']
  if (!nationalIds) look.notHere(['national-id'], 'it is switched off')
  if (personalData.length === 0)
    return look.notHere(['payment-card', 'national-id'], 'the job names no such files')
  const scanner = new PersonalDataScanner(nationalIds)
  let count = 0
  for await (const entry of look.files(personalData, rules)) {
    count++
    const scan = await look.search(entry, 'personal', 'log', rules, { scanner })
    if (!scan) continue
    for (const [rule, name, what] of [
      ['payment-card', PAYMENT_CARD, 'numbers of payment cards'],
      ['national-id', NATIONAL_ID, 'what look like social security numbers'],
    ] as const) {
      const matches = scan.matches.filter((match) => match.name === name)
      if (matches.length > 0) look.findings.push(finding(rule, entry.path, what, matches))
    }
  }
  if (count === 0 && !look.isDark('payment-card')) look.notHere(rules, 'no such file is there')
}

/** No hash of a number: of numbers in such a form there are so few that it would tell them. */
function finding(
  rule: 'payment-card' | 'national-id',
  path: string,
  what: string,
  matches: readonly FileMatch[],
): Finding {
  const lines = [...new Set(matches.flatMap(({ line }) => line ?? []))]
  return {
    rule,
    subject: path,
    severity: rule === 'payment-card' ? 'critical' : 'warning',
    summary: `${path} holds ${what}: ${matches.length}, the first on line ${lines[0] ?? '?'}`,
    remedy: `sudoedit ${lines[0] === undefined ? '' : `+${lines[0]} `}${shellWord(path)}\n# Keep a reference to them instead, and take them out of copies of this file`,
    evidence: { path, line: lines[0] ?? null, lines: lines.slice(0, 20).join(', '), count: matches.length },
  }
}
