/** Prometheus text format 0.0.4. prom-client would do, but costs 17 MB of memory and 20 ms when it loads. */
export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Sample {
  labels?: Record<string, string>
  value: number
}

/** A metric with all its series. Names match [a-z_][a-z0-9_]*; of two samples with the same labels the last counts. */
export interface Family {
  name: string
  help: string
  samples: Sample[]
}

/** Families of gauges as text. Those of the same name are joined, since a name may stand only once. */
export function renderExposition(families: Family[]): string {
  const joined = new Map<string, { help: string; series: Map<string, number> }>()
  for (const { name, help, samples } of families) {
    const family = joined.get(name) ?? { help, series: new Map<string, number>() }
    joined.set(name, family)
    for (const sample of samples) family.series.set(renderLabels(sample.labels ?? {}), sample.value)
  }
  let text = ''
  for (const [name, { help, series }] of joined) {
    if (series.size === 0) continue
    text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} gauge\n`
    for (const [labels, value] of series) text += `${name}${labels} ${renderValue(value)}\n`
  }
  return text
}

function renderLabels(labels: Record<string, string>): string {
  const names = Object.keys(labels).sort()
  if (names.length === 0) return ''
  return `{${names.map((name) => `${name}="${escapeLabel(labels[name] ?? '')}"`).join(',')}}`
}

/** A name that is no UTF-8 on the host holds lone surrogates, which the format does not allow. */
function escapeLabel(value: string): string {
  return value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function renderValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}
