/**
 * When to alert: outside of [low, high], or inside when `inside` is set (written with "@"). Missing bounds are
 * infinite. From the Monitoring Plugins development guidelines, "Threshold and ranges".
 */
export interface Range {
  low: number
  high: number
  inside: boolean
}

/** `'label'=value[UOM];[warn];[crit];[min];[max]`, as it was written. */
export interface PerformanceDatum {
  label: string
  /** Null when the program could not determine it (written "U"). */
  value: number | null
  /** Unit of measurement of all numbers: "", "s", "ms", "%", "B", "KB", "c" … */
  unit: string
  warning: Range | undefined
  critical: Range | undefined
  min: number | undefined
  max: number | undefined
}

export interface Perfdata {
  data: PerformanceDatum[]
  /** Pieces that follow no grammar, shortened; what is in them is not guessed at. */
  rejected: string[]
}

const NUMBER = '[+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?'
const VALUE = new RegExp(`^(${NUMBER})([^\\s\\d;'"=.,+-]*)$`)
const WHOLE_NUMBER = new RegExp(`^${NUMBER}$`)
const RANGE = new RegExp(`^(@?)(?:(~|${NUMBER})?(:))?(${NUMBER})?$`)
const QUOTED_LABEL = /'((?:[^']|'')*)'=/y
const BARE_LABEL = /([^\s='][^\s=']*)=/y

const MAX_LABEL = 1000
const MAX_DATA = 500
const MAX_SHOWN = 100

/** Reads performance data: items separated by blanks, with the label quoted where it holds blanks or "=". Pure. */
export function parsePerfdata(text: string): Perfdata {
  const result: Perfdata = { data: [], rejected: [] }
  const labels = new Set<string>()
  let position = 0
  while (position < text.length) {
    if (/\s/.test(text[position] ?? '')) {
      position++
      continue
    }
    const start = position
    const label = readLabel(text, position)
    const body = /\S*/y
    body.lastIndex = label ? label.end : position
    const fields = body.exec(text)?.[0] ?? ''
    position = body.lastIndex
    const rejected: string[] = []
    const datum = label && !labels.has(label.name) ? parseFields(label.name, fields, rejected) : undefined
    if (!datum || result.data.length >= MAX_DATA) {
      result.rejected.push(text.slice(start, position).slice(0, MAX_SHOWN))
      continue
    }
    labels.add(datum.label)
    result.data.push(datum)
    result.rejected.push(...rejected)
  }
  return result
}

function readLabel(text: string, position: number): { name: string; end: number } | undefined {
  const pattern = text[position] === "'" ? QUOTED_LABEL : BARE_LABEL
  pattern.lastIndex = position
  const match = pattern.exec(text)
  const name = match?.[1]?.replaceAll("''", "'")
  if (!name || name.length > MAX_LABEL) return undefined
  return { name, end: pattern.lastIndex }
}

function parseFields(label: string, text: string, rejected: string[]): PerformanceDatum | undefined {
  const fields = text.split(';')
  // A last ";" with nothing after it is common, and harmless.
  if (fields.length > 5 && !(fields.length === 6 && fields[5] === '')) return undefined
  const [first = '', warning = '', critical = '', min = '', max = ''] = fields
  const match = VALUE.exec(first)
  if (!match && first !== 'U') return undefined
  const value = match ? Number(match[1]) : null
  if (value !== null && !Number.isFinite(value)) return undefined
  const part = <T>(field: string, parse: (field: string) => T | undefined): T | undefined => {
    const parsed = field === '' ? undefined : parse(field)
    if (field !== '' && parsed === undefined) rejected.push(`${label}: ${field}`.slice(0, MAX_SHOWN))
    return parsed
  }
  return {
    label,
    value,
    unit: match?.[2] ?? '',
    warning: part(warning, parseRange),
    critical: part(critical, parseRange),
    min: part(min, parseNumber),
    max: part(max, parseNumber),
  }
}

/** "10", "10:", "~:10", "10:20", "@10:20". Undefined for anything else, also where low is above high. */
export function parseRange(text: string): Range | undefined {
  const match = RANGE.exec(text)
  const [, at, start, colon, end] = match ?? []
  if (!match || (start === undefined && colon === undefined && end === undefined)) return undefined
  const low = start === '~' ? Number.NEGATIVE_INFINITY : Number(start ?? 0)
  const high = end === undefined ? Number.POSITIVE_INFINITY : Number(end)
  if (low > high) return undefined
  return { low, high, inside: at === '@' }
}

function parseNumber(text: string): number | undefined {
  const value = WHOLE_NUMBER.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}
