export interface Series {
  name: string
  labels: Record<string, string>
  value: number
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?$/
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:\\.|[^"\\])*)"\s*(?:,|$)/y
const ESCAPES: Record<string, string> = { n: '\n', '\\': '\\', '"': '"' }

/** Series of the text format of Prometheus, version 0.0.4. Lines that are none are left out. Pure. */
export function parseSeries(text: string): Series[] {
  return text.split('\n').flatMap((line) => {
    const [, name, inner = '', number = ''] = LINE.exec(line.trim()) ?? []
    const labels = name === undefined ? undefined : parseLabels(inner)
    const value =
      { '+Inf': Number.POSITIVE_INFINITY, '-Inf': Number.NEGATIVE_INFINITY }[number] ?? Number(number)
    return name === undefined || !labels || Number.isNaN(value) ? [] : [{ name, labels, value }]
  })
}

function parseLabels(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = {}
  for (LABEL.lastIndex = 0; LABEL.lastIndex < text.length; ) {
    const [, name, value] = LABEL.exec(text) ?? []
    if (name === undefined || value === undefined) return undefined
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => ESCAPES[character] ?? `\\${character}`)
  }
  return labels
}

/** The sum of the series of a name that have all these labels; undefined when there is none. */
export function sumOf(series: Series[], name: string, labels: Record<string, string>): number | undefined {
  const matching = series.filter(
    (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )
  return matching.length === 0 ? undefined : matching.reduce((sum, { value }) => sum + value, 0)
}
