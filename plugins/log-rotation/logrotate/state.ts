export interface ParsedState {
  entries: Map<string, Date>
  /** Texts of logrotate's errors about bad lines. */
  problems: string[]
}

const HEADER = /^logrotate state -- version [12]$/
const LINE = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))\s+(\d+)-(\d+)-(\d+)(?:-(\d+):(\d+):(\d+))?\s*$/

/** Reads a state file of version 1 (names bare, dates by the day) or 2, up to the first bad line, which is told. */
export function parseState(text: string, path: string): ParsedState {
  const entries = new Map<string, Date>()
  const problems: string[] = []
  const [header = '', ...lines] = text.split('\n')
  if (text === '') return { entries, problems }
  if (!HEADER.test(header)) return { entries, problems: [`bad top line in state file ${path}`] }
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const match = LINE.exec(line)
    const name = match && (match[1] === undefined ? match[2] : unescapeName(match[1]))
    if (!match || !name) {
      problems.push(`bad line ${index + 2} in state file ${path}`)
      break
    }
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
      .slice(3)
      .map((digits) => Number(digits ?? 0))
    const bad = rangeProblem({ year, month, day, hour, minute, second })
    if (bad) {
      problems.push(`bad ${bad} for file ${name} in state file ${path}`)
      break
    }
    entries.set(name, new Date(year, month - 1, day, hour, minute, second))
  }
  return { entries, problems }
}

function rangeProblem(date: Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number>) {
  const { year, month, day, hour, minute, second } = date
  if (year !== 1900 && (year < 1970 || year > 2100)) return `year ${year}`
  if (month < 1 || month > 12) return `month ${month}`
  if (day < 1 || day > 31) return `day ${day}`
  if (hour > 23) return `hour ${hour}`
  if (minute > 59) return `minute ${minute}`
  return second > 59 ? `second ${second}` : undefined
}

/** A state file of version 2. */
export function formatState(entries: ReadonlyMap<string, Date>): string {
  const lines = [...entries].map(([name, at]) => {
    const date = `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`
    return `"${escapeName(name)}" ${date}-${at.getHours()}:${at.getMinutes()}:${at.getSeconds()}\n`
  })
  return `logrotate state -- version 2\n${lines.join('')}`
}

const escapeName = (name: string) =>
  name.replace(/["\\]/g, (character) => `\\${character}`).replaceAll('\n', '\\n')

const unescapeName = (text: string) =>
  text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
