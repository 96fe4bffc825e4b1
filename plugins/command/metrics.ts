import type { Metric } from '../../agent/contract/mod.ts'
import type { Perfdata, PerformanceDatum, Range } from './perfdata.ts'

interface BaseUnit {
  suffix: '' | '_seconds' | '_bytes' | '_bits' | '_ratio'
  factor: number
}

const TIME: Record<string, number> = { s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, μs: 1e-6, ns: 1e-9 }
const PREFIXES = ['k', 'm', 'g', 't', 'p', 'e']

/**
 * Base unit of a unit of measurement. "KB" is 1000 bytes and "KiB" 1024, "b" are bits, as Icinga 2 reads them
 * (lib/base/perfdatavalue.cpp). A unit without a base unit is kept as it is.
 */
export function baseUnit(unit: string): BaseUnit {
  if (unit === '%') return { suffix: '_ratio', factor: 0.01 }
  const seconds = Object.hasOwn(TIME, unit) ? TIME[unit] : undefined
  if (seconds !== undefined) return { suffix: '_seconds', factor: seconds }
  const data = /^(?:([kKmMgGtTpPeE])([iI]?))?([bB])$/.exec(unit)
  if (!data) return { suffix: '', factor: 1 }
  const power = PREFIXES.indexOf((data[1] ?? '').toLowerCase()) + 1
  const factor = (data[2] ? 1024 : 1000) ** power
  return { suffix: data[3] === 'b' ? '_bits' : '_bytes', factor }
}

/** Performance data as metrics in base units, with finite bounds of the thresholds. Pure. */
export function toMetrics(subject: string, perfdata: Perfdata): Metric[] {
  const metrics = perfdata.data.flatMap((datum) => datumMetrics(subject, datum))
  if (perfdata.rejected.length > 0) {
    metrics.push({
      name: 'command_perfdata_rejected',
      value: perfdata.rejected.length,
      labels: { subject },
      help: 'Pieces of performance data that follow no grammar',
    })
  }
  return metrics
}

function datumMetrics(subject: string, datum: PerformanceDatum): Metric[] {
  const { suffix, factor } = baseUnit(datum.unit)
  const labels: Record<string, string> = { subject, label: datum.label }
  if (suffix === '' && datum.unit !== '') labels.unit = datum.unit
  const metrics: Metric[] = []
  const add = (kind: string, value: number | null | undefined, help: string, more = {}) => {
    const scaled = typeof value === 'number' ? scale(value, factor) : Number.NaN
    if (!Number.isFinite(scaled)) return
    metrics.push({ name: `command_${kind}${suffix}`, value: scaled, labels: { ...labels, ...more }, help })
  }
  const addRange = (kind: string, range: Range | undefined) => {
    if (!range) return
    const alert = { alert: range.inside ? 'inside' : 'outside' }
    add(`${kind}_low`, range.low, `Lower bound of the ${kind} range`, alert)
    add(`${kind}_high`, range.high, `Upper bound of the ${kind} range`, alert)
  }
  add('value', datum.value, 'Performance data of a program')
  addRange('warning', datum.warning)
  addRange('critical', datum.critical)
  add('min', datum.min, 'Smallest possible value')
  add('max', datum.max, 'Largest possible value')
  return metrics
}

/** Dividing by a power of ten is exact where multiplying by its reciprocal is not: 12 ms are 0.012 s. */
function scale(value: number, factor: number): number {
  return factor < 1 ? value / Math.round(1 / factor) : value * factor
}
