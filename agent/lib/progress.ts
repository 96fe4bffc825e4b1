import { formatBytes } from './bytes.ts'
import { formatDuration } from './duration.ts'

export interface ProgressDetail {
  /** What `done` and `total` count; without it the label says so. */
  unit?: 'bytes' | undefined
  /** How many files, or other entries, these bytes are of. */
  files?: number | undefined
  /** `total` is a guess, such as what it was the last time. */
  isEstimate?: boolean | undefined
}

/** How far a run says that it is. */
export interface Progress extends ProgressDetail {
  done: number
  /** 0 when unknown. */
  total: number
  label: string
}

export interface PacedProgress extends Progress {
  /** Units a second of late; missing until it can be told. */
  ratePerSecond?: number | undefined
  /** Missing where the total or the rate is unknown. */
  remainingMs?: number | undefined
}

const WINDOW_MS = 15_000
const LEAST_SPAN_MS = 1000
/** Things that go on side by side; labels beyond are forgotten, the oldest first. */
const MAX_LABELS = 32

interface Sample {
  atMs: number
  done: number
}

/** Tells how quickly a run goes on: over the last seconds, and for each label by itself. */
export class ProgressMeter {
  private readonly samples = new Map<string, Sample[]>()

  /** `nowMs` of any clock that does not jump. */
  note(progress: Progress, nowMs: number): PacedProgress {
    const { label, done, total } = progress
    const known = this.samples.get(label) ?? []
    // Counting began anew, such as with another object.
    const kept = (known.at(-1)?.done ?? 0) > done ? [] : known.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS)
    // Of a standstill longer than the window the last sample stays: else there would be nothing to compare with.
    const last = known.at(-1)
    const samples = kept.length === 0 && last && last.done <= done ? [last] : kept
    samples.push({ atMs: nowMs, done })
    this.samples.delete(label)
    this.samples.set(label, samples)
    const [oldest] = this.samples.keys()
    if (this.samples.size > MAX_LABELS && oldest !== undefined) this.samples.delete(oldest)

    const first = samples[0] as Sample
    const spanMs = nowMs - first.atMs
    if (spanMs < LEAST_SPAN_MS) return progress
    const perMs = (done - first.done) / spanMs
    const ratePerSecond = Math.round(perMs * 10_000) / 10
    if (total <= done || perMs <= 0) return { ...progress, ratePerSecond }
    return { ...progress, ratePerSecond, remainingMs: Math.round((total - done) / perMs) }
  }
}

/** "sending to offsite: 1.2 MiB of 4.8 MiB (25 %), 12 files, 1.0 MiB/s, 4s left". */
export function formatProgress(progress: PacedProgress): string {
  const { done, total, label, files, isEstimate, ratePerSecond, remainingMs } = progress
  const isBytes = progress.unit === 'bytes' || label === 'bytes'
  const amount = (value: number) => (isBytes ? formatBytes(Math.round(value)) : value.toLocaleString('en'))
  const about = isEstimate ? 'about ' : ''
  const percent = Math.min(100, Math.floor((100 * done) / total))
  const parts = [total > 0 ? `${amount(done)} of ${about}${amount(total)} (${percent} %)` : amount(done)]
  if (files !== undefined) parts.push(`${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}`)
  if (ratePerSecond !== undefined) parts.push(`${amount(ratePerSecond)}/s`)
  if (remainingMs !== undefined) parts.push(`${about}${formatDuration(wholeSeconds(remainingMs))} left`)
  return `${label === 'bytes' ? '' : `${label}: `}${parts.join(', ')}`
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000)) * 1000
}
