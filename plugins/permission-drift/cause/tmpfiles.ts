import { type EntryState, globMatcher, type HostReader } from '../../../agent/contract/mod.ts'
import type { Cause, Change } from '../change.ts'
import { type Evidence, readEvidence } from './evidence.ts'

/** One line of tmpfiles.d(5). */
export interface TmpfilesLine {
  /** The letter, without modifiers. */
  type: string
  path: string
  mode: number | undefined
  /** With "~": mode bits are those that the entry had, or fewer. */
  isMasked: boolean
  user: string | undefined
  group: string | undefined
  /** What it cleans is at least so old; undefined: it cleans nothing. */
  ageMs: number | undefined
  argument: string
  /** File and number, for people. */
  source: string
}

export const TMPFILES_DIRECTORIES = ['/etc/tmpfiles.d', '/run/tmpfiles.d', '/usr/lib/tmpfiles.d']

const UNITS: Record<string, number> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
}
const PATTERNS = new Set(['z', 'Z', 'e', 'r', 'R', 'm', 'x', 'X', 'w'])

/** The lines of one file. Lines with specifiers ("%b") or without meaning here are left out: they explain nothing. */
export function parseTmpfiles(text: string, file: string): TmpfilesLine[] {
  return text.split('\n').flatMap((line, index): TmpfilesLine[] => {
    const words = line.trim().match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+/g) ?? []
    const [type = '', rawPath = '', mode = '-', user = '-', group = '-', age = '-', ...rest] =
      words.map(unquote)
    if (type === '' || type.startsWith('#') || !rawPath.startsWith('/')) return []
    if (/%[^%]/.test(rawPath)) return []
    const octal = /^[~:]*([0-7]{3,5})$/.exec(mode)?.[1]
    const path = rawPath.replaceAll('%%', '%').replace(/(.)\/+$/, '$1')
    return [
      {
        type: type.slice(0, 1),
        path: path.startsWith('/var/run/') ? path.slice(4) : path,
        mode: octal === undefined ? undefined : Number.parseInt(octal, 8),
        isMasked: mode.includes('~'),
        user: nameOf(user),
        group: nameOf(group),
        ageMs: ageOf(age),
        argument: rest.join(' '),
        source: `${file}:${index + 1}`,
      },
    ]
  })
}

function unquote(word: string): string {
  return /^(["']).*\1$/.test(word) ? word.slice(1, -1) : word
}

function nameOf(word: string): string | undefined {
  const name = word.replace(/^:/, '')
  return name === '-' || name === '' || name.includes('%') ? undefined : name
}

function ageOf(word: string): number | undefined {
  const text = word.replace(/^[a-zA-Z]*:/, '').replace(/^~/, '')
  if (!/^(?:\d+[a-z]*)+$/.test(text)) return undefined
  let total = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+)([a-z]*)/g)) {
    total += Number(amount) * (UNITS[unit || 's'] ?? Number.NaN)
  }
  return Number.isNaN(total) ? undefined : total
}

/** All lines in force: a file in an earlier directory stands for those of its name in later ones. */
export function readTmpfiles(evidence: Evidence): TmpfilesLine[] {
  const { host } = evidence
  const files = new Map<string, string>()
  for (const directory of TMPFILES_DIRECTORIES) {
    if (host.stat(directory)?.type !== 'directory') continue
    for (const name of host.list(directory)) {
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, `${directory}/${name}`)
    }
  }
  return [...files.values()].flatMap((path) =>
    host.statTarget(path)?.type === 'file' ? parseTmpfiles(readEvidence(evidence, path) ?? '', path) : [],
  )
}

/** Changes that systemd-tmpfiles makes by its configuration: what is there has to be as a line says, exactly. */
export class Tmpfiles {
  private readonly matchers = new Map<TmpfilesLine, (path: string) => boolean>()

  constructor(
    private readonly lines: readonly TmpfilesLine[],
    private readonly host: Pick<HostReader, 'userId' | 'groupId'>,
    private readonly now: Date,
  ) {}

  explain(change: Change): Cause | undefined {
    const line =
      change.kind === 'removed'
        ? this.lines.find((one) => this.removes(one, change.before))
        : this.lines.find((one) => this.makes(one, change, change.after))
    return line && { kind: 'tmpfiles', detail: `systemd-tmpfiles: ${line.source}` }
  }

  private makes(line: TmpfilesLine, change: Change, after: EntryState): boolean {
    if (!this.isAt(line, after.path) || !this.isOwned(line, after) || after.capabilities) return false
    const isOnlyAdjusted =
      change.kind === 'changed' &&
      change.attributes.every((attribute) => ['mode', 'owner', 'group'].includes(attribute))
    switch (line.type) {
      case 'd':
      case 'D':
      case 'v':
      case 'q':
      case 'Q':
        return after.type === 'directory' && this.hasMode(line, after, 0o755)
      case 'e':
        return after.type === 'directory' && isOnlyAdjusted && this.hasMode(line, after, undefined)
      case 'f':
      case 'F':
        // What it holds is not compared: only an empty one is sure to be what the line made.
        return (
          after.type === 'file' &&
          (isOnlyAdjusted || (change.kind === 'new' && after.size === 0)) &&
          this.hasMode(line, after, 0o644)
        )
      case 'p':
        return after.type === 'fifo' && this.hasMode(line, after, 0o644)
      case 'L':
        return (
          after.type === 'symlink' && after.target === (line.argument || `/usr/share/factory${line.path}`)
        )
      case 'z':
      case 'Z':
        return isOnlyAdjusted && this.hasMode(line, after, undefined)
      default:
        return false
    }
  }

  private removes(line: TmpfilesLine, before: EntryState): boolean {
    const { path } = before
    if (line.type === 'r' || line.type === 'R') {
      return this.isAt(line, path) || (line.type === 'R' && this.isBelow(line, path))
    }
    if (line.type === 'D' && this.isBelow(line, path)) return true
    if (line.ageMs === undefined || !this.isBelow(line, path)) return false
    const oldEnough = BigInt(this.now.getTime() - line.ageMs) * 1_000_000n
    return before.mtimeNs > 0n && before.mtimeNs <= oldEnough
  }

  private isAt(line: TmpfilesLine, path: string): boolean {
    if (line.path === path) return true
    if (!PATTERNS.has(line.type)) return false
    return this.matcher(line)(path) || (line.type === 'Z' && this.isBelow(line, path))
  }

  private isBelow(line: TmpfilesLine, path: string): boolean {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.matcher(line)(path.slice(0, end))) return true
    }
    return false
  }

  private matcher(line: TmpfilesLine): (path: string) => boolean {
    const known = this.matchers.get(line)
    if (known) return known
    const matches = globMatcher([line.path])
    this.matchers.set(line, matches)
    return matches
  }

  private isOwned({ type, user, group }: TmpfilesLine, { uid, gid }: EntryState): boolean {
    const isAdjusting = PATTERNS.has(type)
    const wantedUser = user ?? (isAdjusting ? undefined : 'root')
    const wantedGroup = group ?? (isAdjusting ? undefined : 'root')
    return (
      (wantedUser === undefined || this.host.userId(wantedUser) === uid) &&
      (wantedGroup === undefined || this.host.groupId(wantedGroup) === gid)
    )
  }

  private hasMode({ mode, isMasked }: TmpfilesLine, after: EntryState, usual: number | undefined): boolean {
    const wanted = mode ?? usual
    if (wanted === undefined) return false
    return isMasked ? (after.mode & ~wanted) === 0 : after.mode === wanted
  }
}
