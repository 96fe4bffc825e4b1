import {
  type Blind,
  type CheckContext,
  describeError,
  type Entry,
  type Fact,
  type FileStat,
  type Finding,
  formatBytes,
  globMatcher,
  type HostReader,
  isGlob,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { Openness, type Place } from './findings.ts'
import { ScanMemory } from './memory.ts'
import type { RuleName } from './rules.ts'
import { type FileScan, scanFile, type TextScanner } from './scan-file.ts'
import type { SecretScanner, TextKind } from './scan-text.ts'

const MAX_TEXT_BYTES = 1024 * 1024

/** What a run has looked at so far, and what it could not. */
export class Look {
  readonly findings: Finding[] = []
  readonly blind: Blind[] = []
  readonly facts: Fact[] = []
  readonly inapplicable = new Map<RuleName, string>()
  examined = 0
  skipped = 0
  bytes = 0
  /** Files that were not read, for they are as they were. */
  unchanged = 0
  readonly leftOut = { compressed: 0, binary: 0, links: 0, special: 0, earlier: 0 }
  readonly openness: Openness
  readonly memory: ScanMemory
  /** Links that were asked for by name. */
  private readonly links = new Set<string>()
  private readonly isExcluded: (path: string) => boolean

  constructor(
    readonly context: CheckContext<Config>,
    readonly scanner: SecretScanner,
    /** Identities of the values that are searched for. */
    known: readonly string[],
  ) {
    const { config, host, state, stateDir, now } = context
    this.openness = new Openness(host)
    const { names, allowed, entropy, nationalIds, logBytes, git } = config
    const settings = { names, allowed, entropy, nationalIds, logBytes, samples: git.samples, known }
    this.memory = new ScanMemory(state, stateDir, settings, now.getTime())
    this.isExcluded = globMatcher(config.exclude)
  }

  get host(): HostReader {
    return this.context.host
  }

  dark(subject: string, reason: string, rules: readonly RuleName[]): void {
    this.blind.push({ subject, reason, rules: [...rules] })
  }

  /** Whether something was not seen that a rule is about. */
  isDark(rule: RuleName): boolean {
    return this.blind.some(({ rules }) => rules?.includes(rule))
  }

  notHere(rules: readonly RuleName[], reason: string): void {
    for (const rule of rules) this.inapplicable.set(rule, reason)
  }

  /**
   * Regular files that match, excluded ones left out. A link is followed only where the very path is given: else what it
   * leads to is looked at under its own name.
   */
  async *files(patterns: readonly string[], rules: readonly RuleName[]): AsyncGenerator<Entry> {
    const { signal } = this.context
    const named = new Set(patterns.filter((pattern) => !isGlob(pattern)))
    const options = {
      onBlind: (path: string, reason: string) => {
        if (!this.isExcluded(path)) this.dark(path, reason, rules)
      },
      onSkip: () => {
        this.leftOut.special++
      },
      signal,
    }
    for await (const batch of this.host.globAll([...patterns], options)) {
      for (const { entry } of batch) {
        if (this.isExcluded(entry.path)) {
          if (entry.type === 'file') this.skipped++
        } else if (entry.type === 'file') yield entry
        else if (entry.type === 'symlink') {
          const target = named.has(entry.path) ? this.target(entry.path, rules) : undefined
          if (target?.type !== 'file') this.leftOut.links++
          else {
            this.links.add(entry.path)
            yield { ...entry, ...target }
          }
        } else if (entry.type !== 'directory') this.leftOut.special++
      }
    }
  }

  private target(path: string, rules: readonly RuleName[]): FileStat | undefined {
    try {
      return this.host.statTarget(path)
    } catch (error) {
      this.dark(path, describeError(error), rules)
      return undefined
    }
  }

  /**
   * Searches a file, or recalls what was found in it. Undefined where it could not be looked at, which is then told.
   * `as` tells apart how: the same file can be a configuration and part of a repository.
   */
  async search(
    entry: Entry,
    as: string,
    kind: TextKind,
    rules: readonly RuleName[],
    options: { tailBytes?: number; mayHoldNul?: boolean; scanner?: TextScanner } = {},
  ): Promise<FileScan | undefined> {
    const { config, signal } = this.context
    const recalled = this.memory.recall(entry, as)
    if (recalled) {
      this.unchanged++
      const { skipped, ...rest } = recalled
      return this.count({ ...rest, ...(skipped === 'binary' || skipped === 'empty' ? { skipped } : {}) })
    }
    if (this.bytes >= config.maxBytes) {
      this.dark(
        entry.path,
        `${formatBytes(config.maxBytes)} were searched before it (maxBytes): it was not`,
        rules,
      )
      return undefined
    }
    try {
      const source = this.host.open(entry.path, { follow: this.links.has(entry.path) })
      try {
        const scan = await scanFile(source, options.scanner ?? this.scanner, {
          maxBytes: config.maxFileBytes,
          ...options,
          kind,
          signal,
        })
        this.memory.remember(entry, as, scan)
        this.bytes += scan.bytes
        return this.count(scan)
      } finally {
        source.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      this.dark(entry.path, describeError(error), rules)
      return undefined
    }
  }

  /** The text of a small file; undefined where it cannot be read, which is then told. */
  text(path: string, rules: readonly RuleName[], { follow = false } = {}): string | undefined {
    try {
      return this.host.readText(path, { maxBytes: MAX_TEXT_BYTES, follow: follow || this.links.has(path) })
    } catch (error) {
      this.dark(path, describeError(error), rules)
      return undefined
    }
  }

  /** Whether a path is one that a pattern means. */
  matches(pattern: string, path: string): boolean {
    return globMatcher([pattern])(path)
  }

  place(entry: Entry): Place {
    return { path: entry.path, isOpen: this.openness.isOpen(entry.path, entry) }
  }

  private count(scan: FileScan): FileScan {
    if (scan.skipped === 'binary') {
      this.leftOut.binary++
      this.skipped++
    } else this.examined++
    this.leftOut.earlier += scan.leftOut
    return scan
  }
}
