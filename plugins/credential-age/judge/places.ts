import type { Finding, Severity } from '../../../agent/contract/mod.ts'
import type { Credential } from '../credential.ts'
import { rules } from '../rules.ts'
import { quote } from '../text.ts'
import { nameOf } from '../words.ts'
import { evidenceOf } from './credential.ts'

/** Files with a secret in them that more users can open than the declaration allows; each file once. */
export function judgeModes(credentials: Credential[]): Finding[] {
  const files = new Map(credentials.filter(({ confidential }) => confidential).map((one) => [one.path, one]))
  return [...files.values()].flatMap(({ path, file, declaration }): Finding[] => {
    if (!file || !('maxMode' in declaration)) return []
    const { mode } = file
    const excess = mode & ~declaration.maxMode & 0o777
    if (excess === 0) return []
    const severity: Severity = (mode & 0o006) !== 0 ? 'critical' : 'warning'
    return [
      {
        rule: 'credential-readable-by-others',
        subject: path,
        severity,
        summary: `${path} holds a secret and has mode ${octal(mode)}, wanted at most ${octal(declaration.maxMode)}`,
        remedy: `chmod ${octal(mode & declaration.maxMode)} ${quote(path)}; and rotate what is in it, since it may have been read`,
        evidence: { ...evidenceOf(declaration), mode: octal(mode), maxMode: octal(declaration.maxMode) },
        references: rules['credential-readable-by-others'].references,
      },
    ]
  })
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/** A key is often in several files by right, such as its certificate's and a bundle. */
const NOT_REUSED = new Set<Credential['declaration']['kind']>(['certificate', 'openpgp-key', 'private-key'])

/** One secret in several files: one finding for each such secret, about the first of its places. */
export function judgeReuse(credentials: Credential[]): Finding[] {
  const places = Map.groupBy(
    credentials.filter(
      ({ declaration: { kind }, confidential, placeholder, fingerprint }) =>
        confidential && !placeholder && fingerprint !== undefined && !NOT_REUSED.has(kind),
    ),
    ({ fingerprint }) => fingerprint,
  )
  return [...places.values()].flatMap((same): Finding[] => {
    // Two names in one file, or two paths to one file, are one place to protect.
    if (new Set(same.map(({ file, path }) => file?.inode ?? path)).size < 2) return []
    const [first, ...others] = same.toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
    if (!first) return []
    return [
      {
        rule: 'credential-reused',
        subject: first.subject,
        severity: rules['credential-reused'].severity,
        summary: `${nameOf(first)} has the same value as ${others.length === 1 ? others[0]?.subject : `${others.length} other places`}`,
        remedy: 'Give each place a value of its own',
        evidence: {
          ...evidenceOf(first.declaration),
          places: same.length,
          others: shorten(others.map(({ subject }) => subject).join(' ')),
        },
      },
    ]
  })
}

function shorten(text: string): string {
  return text.length > 1000 ? `${text.slice(0, 999)}…` : text
}
