import { type FileStat, type Finding, type HostReader, shellWord } from '../../agent/contract/mod.ts'
import type { RuleName } from './rules.ts'
import type { FileMatch } from './scan-file.ts'

/** What is known of a file for a finding about it. */
export interface Place {
  path: string
  /** Users other than its owner and group can read it. */
  isOpen: boolean
}

/** What a finding of a rule says, and how it is put right. */
interface Words {
  rule: RuleName
  /** After "PATH:LINE ". */
  says(name: string): string
  remedy(place: Place, line: number | null): string
  severity(place: Place): Finding['severity']
}

const edit = (path: string, line: number | null) =>
  `sudoedit ${line === null ? '' : `+${line} `}${shellWord(path)}`

const byReader = ({ isOpen }: Place): Finding['severity'] => (isOpen ? 'critical' : 'warning')
const critical = (): Finding['severity'] => 'critical'

export const WORDS = {
  config: {
    rule: 'secret-in-config',
    says: (name) => `holds a secret as text: ${name}`,
    remedy: ({ path, isOpen }, line) =>
      `${isOpen ? `chmod o= ${shellWord(path)}\n` : ''}${edit(path, line)}\n# Let the line refer to the secret (\${NAME}, env:NAME, file:/path), keep the value in an environment file of mode 0600, and replace it: it was readable`,
    severity: byReader,
  },
  log: {
    rule: 'secret-in-log',
    says: (name) => `shows a secret: ${name}`,
    remedy: ({ path }) =>
      `chmod o= ${shellWord(path)}\n# Replace the secret, keep its program from logging it, and remove the lines from this log and its rotated copies`,
    severity: critical,
  },
  unit: {
    rule: 'secret-in-unit',
    says: (name) => `has a secret in the unit itself: ${name}; \`systemctl show\` tells it to everyone`,
    remedy: ({ path }, line) =>
      `install -m 0600 /dev/null /etc/default/NAME\n# Write the variable there, then in ${edit(path, line)}: EnvironmentFile=/etc/default/NAME instead\nsystemctl daemon-reload`,
    severity: critical,
  },
  cron: {
    rule: 'secret-in-cron',
    says: (name) => `holds a secret as text: ${name}`,
    remedy: ({ path, isOpen }, line) =>
      `${isOpen ? `chmod o= ${shellWord(path)}\n` : ''}${edit(path, line)}\n# Read it from a file of mode 0600 instead, and replace the value`,
    severity: byReader,
  },
  history: {
    rule: 'secret-in-history',
    says: (name) => `keeps a secret that was typed: ${name}`,
    remedy: ({ path }, line) =>
      line === null
        ? `truncate -s 0 ${shellWord(path)}\n# Replace the secret`
        : `sed -i '${line}d' ${shellWord(path)}\n# Replace the secret; give programs secrets by file or environment, not as argument`,
    severity: () => 'warning',
  },
  repository: {
    rule: 'secret-in-repository',
    says: (name) => `is tracked and holds a secret: ${name}`,
    remedy: ({ path }, line) =>
      `${edit(path, line)}\n# Let it refer to the secret, commit that, and replace the value: the history still has it`,
    severity: critical,
  },
  hash: {
    rule: 'known-bad-hash',
    says: (name) => `accepts what everybody knows: the SHA-256 ${name}`,
    remedy: ({ path }, line) =>
      `${edit(path, line)}\n# Put the SHA-256 of a token from "openssl rand -hex 32" in its place`,
    severity: critical,
  },
  entropy: {
    rule: 'high-entropy',
    says: (name) => `has a value that looks random: ${name}`,
    remedy: ({ path }, line) =>
      `${edit(path, line)}\n# If it is a secret, let the line refer to it; if not, list its SHA-256 under "allowed" of this job`,
    severity: () => 'info',
  },
} satisfies Record<string, Words>

/** Pure: findings about secrets of one file, each with a subject of its own: path and name. */
export function secretFindings(place: Place, matches: readonly FileMatch[], words: Words): Finding[] {
  const byName = new Map<string, Set<string>>()
  for (const { name, sha256 } of matches) byName.set(name, (byName.get(name) ?? new Set()).add(sha256))
  const said = new Set<string>()
  return matches.flatMap(({ name, sha256, line, kind }): Finding[] => {
    const isOnly = byName.get(name)?.size === 1
    const subject = `${place.path}:${name}${isOnly ? '' : `:${sha256}`}`
    if (said.has(subject)) return []
    said.add(subject)
    return [
      {
        rule: words.rule,
        subject,
        severity: words.severity(place),
        summary: `${place.path}${line === null ? '' : `:${line}`} ${words.says(name)}`,
        remedy: words.remedy(place, line),
        evidence: { path: place.path, line, key: name, kind, sha256 },
      },
    ]
  })
}

/** Tells whether users other than owner and group can read a file: by its mode and those of all directories above. */
export class Openness {
  private readonly directories = new Map<string, boolean>()

  constructor(private readonly host: HostReader) {}

  isOpen(path: string, { mode }: Pick<FileStat, 'mode'>): boolean {
    return (mode & 0o004) !== 0 && this.canEnter(path.slice(0, Math.max(1, path.lastIndexOf('/'))))
  }

  private canEnter(directory: string): boolean {
    const known = this.directories.get(directory)
    if (known !== undefined) return known
    const stat = this.host.statTarget(directory)
    const above =
      directory === '/' || this.canEnter(directory.slice(0, Math.max(1, directory.lastIndexOf('/'))))
    // What cannot be looked at counts as open.
    const isOpen = above && (stat === undefined || (stat.mode & 0o001) !== 0)
    this.directories.set(directory, isOpen)
    return isOpen
  }
}
