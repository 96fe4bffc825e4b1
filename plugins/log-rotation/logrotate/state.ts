import { momentOf, wallTime } from './local-time.ts'
import { splitWords } from './words.ts'

export interface ParsedState {
  entries: Map<string, Date>
  /** logrotate's complaint about what cannot be read; what stands before it counts. */
  problem?: string
}

const HEADER = /^logrotate state -- version [12]$/
const MAX_LINE = 8206

/**
 * Reads a state file of version 1 (dates by the day) or 2, up to the first bad line. A date may lack hour, minute
 * and second. An empty file is one of a first run.
 */
export function parseState(text: string, path: string): ParsedState {
  const entries = new Map<string, Date>()
  if (text === '') return { entries }
  let number = 1
  for (let from = 0; from < text.length; number++) {
    const end = text.indexOf('\n', from)
    const line = text.slice(from, end < 0 ? undefined : end)
    if (number === 1 && (!HEADER.test(line) || end < 0)) {
      return { entries, problem: `bad top line in state file ${path}` }
    }
    if (end < 0) return { entries, problem: `line ${number} too long in state file ${path}` }
    const problem = number === 1 || line === '' ? undefined : readLine(line, number, path, entries)
    if (problem !== undefined) return { entries, problem }
    from = end + 1
  }
  return { entries }
}

/** As this writes it, and nearly every line is. */
const PLAIN_LINE = /^"([^"\\\0]{1,4096})" ([0-9]{4})-([0-9]+)-([0-9]+)-([0-9]+):([0-9]+):([0-9]+)$/

function readLine(
  line: string,
  number: number,
  path: string,
  entries: Map<string, Date>,
): string | undefined {
  if (line.startsWith('\0')) return `line ${number} not parsable in state file ${path}`
  if (line.includes('\0') || line.length >= MAX_LINE) return `line ${number} too long in state file ${path}`
  const plain = PLAIN_LINE.exec(line)
  const words = plain ? [plain[1] ?? ''] : splitWords(line)
  const date = plain ? plain.slice(2).map(Number) : words?.length === 2 ? readDate(words[1] ?? '') : undefined
  if (!words || !date) return `bad line ${number} in state file ${path}`
  const [name = ''] = words
  const bad = rangeProblem(date)
  if (bad) return `bad ${bad} for file ${name} in state file ${path}`
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = date
  entries.set(unescapeName(name), momentOf(year, month, day, hour, minute, second))
  return undefined
}

/** As many of year-month-day-hour:minute:second as can be read, at least three. */
function readDate(text: string): number[] | undefined {
  const number = '\\s*([-+]?[0-9]+)'
  const separators = ['-', '-', '-', ':', ':']
  const source = separators.reduceRight((rest, separator) => `${number}(?:${separator}${rest})?`, number)
  const match = new RegExp(`^${source}`).exec(text)
  const fields = match?.slice(1).filter((digits) => digits !== undefined) ?? []
  return fields.length >= 3 ? fields.map(Number) : undefined
}

/** Day 0 hides an earlier error of logrotate, and so does the year 1900. */
function rangeProblem(date: number[]): string | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = date
  if (year !== 1900 && (year < 1970 || year > 2100)) return `year ${year}`
  if (month < 1 || month > 12) return `month ${month}`
  if (day < 0 || day > 31) return `day ${day}`
  if (hour < 0 || hour > 23) return `hour ${hour}`
  if (minute < 0 || minute > 59) return `minute ${minute}`
  return second < 0 || second > 59 ? `second ${second}` : undefined
}

const [LEAST_BUCKETS, MOST_BUCKETS] = [64, 8192]
const BYTES_PER_BUCKET = 80 * 200

/** How many places logrotate takes for a state file of that size; they decide the order in which it writes. */
export function bucketsFor(stateBytes: number): number {
  return Math.min(MOST_BUCKETS, Math.max(LEAST_BUCKETS, Math.floor(stateBytes / BYTES_PER_BUCKET)))
}

/** Entries in the order in which logrotate writes them: by bucket, and what came later first. */
export function inBuckets(
  entries: ReadonlyMap<string, Date>,
  buckets: number,
  bytesOf: (name: string) => Uint8Array,
): [name: string, at: Date][] {
  const filled = new Map<number, [string, Date][]>()
  for (const entry of entries) {
    let hash = 0
    for (const byte of bytesOf(entry[0])) hash = (Math.imul(hash, 13) + byte) >>> 0
    const bucket = filled.get(hash % buckets)
    if (bucket) bucket.push(entry)
    else filled.set(hash % buckets, [entry])
  }
  return [...filled].sort(([a], [b]) => a - b).flatMap(([, bucket]) => bucket.reverse())
}

/** A state file of version 2. */
export function formatState(entries: Iterable<readonly [name: string, at: Date]>): string {
  const lines = Array.from(entries, ([name, at]) => {
    const { year, month, day, hour, minute, second } = wallTime(at)
    return `"${escapeName(name)}" ${year}-${month}-${day}-${hour}:${minute}:${second}\n`
  })
  return `logrotate state -- version 2\n${lines.join('')}`
}

const escapeName = (name: string) =>
  !/["\\\n]/.test(name)
    ? name
    : name.replace(/["\\]/g, (character) => `\\${character}`).replaceAll('\n', '\\n')

const unescapeName = (text: string) =>
  !text.includes('\\')
    ? text
    : text.replace(/\\(n|\\)/g, (_, character: string) => (character === 'n' ? '\n' : character))
