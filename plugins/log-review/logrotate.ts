import type { HostReader } from '../../agent/contract/mod.ts'

/** How a block of logrotate treats its logs, as far as how long they are kept. */
export interface RotationRule {
  /** Paths and patterns, as written. */
  patterns: string[]
  /** Between two rotations; undefined: by size alone. */
  periodMs: number | undefined
  /** Rotated logs that are kept; Infinity: all. */
  keep: number
  maxAgeMs: number | undefined
  /** Where rotated logs are moved to; beside the log where it is undefined. */
  oldDirectory?: string | undefined
  path: string
  /** Where the block begins. */
  line: number
}

export interface Rotation {
  rules: RotationRule[]
  /** What was not understood: a block that does not end, a file that cannot be read. */
  problems: { path: string; reason: string }[]
}

const DAY_MS = 86_400_000
const PERIODS_MS: Record<string, number> = {
  hourly: DAY_MS / 24,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 30 * DAY_MS,
  yearly: 365 * DAY_MS,
}
const SCRIPTS = ['prerotate', 'postrotate', 'firstaction', 'lastaction', 'preremove']
/** Names that logrotate leaves out of a directory that is included. */
const TABOO =
  /^\.|(?:,v|\.bak|\.cfsaved|\.disabled|\.dpkg-[a-z-]+|\.rpm(?:orig|new|save)|\.swp|\.ucf-(?:dist|new|old)|~)$/
const MAX_DEPTH = 16
const MAX_FILE_BYTES = 1024 * 1024

type Settings = Pick<RotationRule, 'periodMs' | 'keep' | 'maxAgeMs' | 'oldDirectory'>

/** Reads configurations of logrotate for what they keep, with all that they include. */
export function readRotation(host: HostReader, files: string[]): Rotation {
  const rotation: Rotation = { rules: [], problems: [] }
  const defaults: Settings = { periodMs: 7 * DAY_MS, keep: 0, maxAgeMs: undefined }
  const read = (path: string, settings: Settings, depth: number): void => {
    const attempt = (work: () => void) => {
      try {
        work()
      } catch (error) {
        rotation.problems.push({ path, reason: error instanceof Error ? error.message : String(error) })
      }
    }
    attempt(() => {
      if (depth > MAX_DEPTH) throw new Error('files of logrotate include each other without end')
      if (host.statTarget(path)?.type === 'directory') {
        for (const name of host.list(path))
          if (!TABOO.test(name)) read(`${path}/${name}`, settings, depth + 1)
        return
      }
      const text = host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true })
      const include = (other: string) => read(other, settings, depth + 1)
      rotation.rules.push(...parseRotation(path, text, settings, include))
    })
  }
  for (const file of files) if (host.statTarget(file)) read(file, defaults, 0)
  return rotation
}

/**
 * Blocks of one file. `settings` are those outside of blocks; they change while reading, as they hold for what comes
 * after. Pure but for `include`. Throws where a block does not end.
 */
export function parseRotation(
  path: string,
  text: string,
  settings: Settings,
  include: (path: string) => void,
): RotationRule[] {
  const rules: RotationRule[] = []
  let names: { text: string; line: number } | undefined
  let block: (Settings & { patterns: string[]; line: number }) | undefined
  let inScript = false
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    const [word = '', value = ''] = line.split(/[\s=]+/)
    if (inScript) {
      inScript = word !== 'endscript'
      continue
    }
    if (line === '' || line.startsWith('#')) continue
    if (block) {
      if (line.startsWith('}')) {
        rules.push({ ...block, path })
        block = undefined
      } else if (SCRIPTS.includes(word)) inScript = true
      else apply(block, word, value)
      continue
    }
    if (SCRIPTS.includes(word)) inScript = true
    else if (names || /^["'/~]/.test(line)) {
      const brace = line.indexOf('{')
      const part = brace < 0 ? line : line.slice(0, brace)
      names = { text: `${names?.text ?? ''} ${part}`, line: names?.line ?? index + 1 }
      if (brace < 0) continue
      block = { ...settings, patterns: wordsOf(names.text), line: names.line }
      names = undefined
      const rest = line.slice(brace + 1)
      // A whole block on one line.
      if (rest.includes('}')) {
        rules.push({ ...block, path })
        block = undefined
      }
    } else if (word === 'include') include(line.slice(word.length).replace(/^[\s=]+/, ''))
    else apply(settings, word, value)
  }
  if (block ?? names) throw new Error(`a block of ${path} does not end`)
  return rules
}

function apply(settings: Settings, word: string, value: string): void {
  if (word in PERIODS_MS) settings.periodMs = PERIODS_MS[word]
  else if (word === 'size') settings.periodMs = undefined
  else if (word === 'rotate')
    settings.keep = value === '-1' ? Number.POSITIVE_INFINITY : Number.parseInt(value, 10) || 0
  else if (word === 'maxage') settings.maxAgeMs = (Number.parseInt(value, 10) || 0) * DAY_MS || undefined
  else if (word === 'olddir') settings.oldDirectory = value
  else if (word === 'noolddir') settings.oldDirectory = undefined
}

function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  )
}

/** Times of the last rotations, from the state file of logrotate, in UTC milliseconds. Pure; the time is of this host. */
export function parseState(text: string): Map<string, number> {
  const times = new Map<string, number>()
  for (const [, path = '', ...parts] of text.matchAll(
    /^"((?:[^"\\]|\\.)*)" (\d{4})-(\d{1,2})-(\d{1,2})(?:-(\d{1,2}):(\d{1,2}):(\d{1,2}))?$/gm,
  )) {
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.map((part) =>
      Number(part ?? 0),
    )
    times.set(path.replace(/\\(.)/g, '$1'), new Date(year, month - 1, day, hour, minute, second).getTime())
  }
  return times
}
