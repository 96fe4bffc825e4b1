/** Changes come in bursts: a run starts when it has been quiet for so long … */
export const QUIET_MS = 300
/** … and, however lively it is, so long after the first change. */
export const PATIENCE_MS = 1000
/** Between two runs for changes; it doubles while they go on and is what it was after a time without. */
export const MIN_INTERVAL_MS = 5000
export const MAX_INTERVAL_MS = 300_000
const CALM_FACTOR = 4

/** What a job's changes were like of late. Times are monotonic milliseconds. */
export interface Pace {
  firstMs: number | null
  lastMs: number
  startedMs: number | null
  intervalMs: number
}

export const AT_REST: Pace = { firstMs: null, lastMs: 0, startedMs: null, intervalMs: MIN_INTERVAL_MS }

export function changed(pace: Pace, now: number): Pace {
  return { ...pace, firstMs: pace.firstMs ?? now, lastMs: now }
}

/** Whether a run is to start now. */
export function isDue({ firstMs, lastMs, startedMs, intervalMs }: Pace, now: number): boolean {
  if (firstMs === null) return false
  if (now - lastMs < QUIET_MS && now - firstMs < PATIENCE_MS) return false
  return startedMs === null || now - startedMs >= intervalMs
}

/** After a run was started for the changes so far. */
export function started(pace: Pace, now: number): Pace {
  const isBusy = pace.startedMs !== null && now - pace.startedMs < pace.intervalMs * CALM_FACTOR
  const intervalMs = isBusy ? Math.min(pace.intervalMs * 2, MAX_INTERVAL_MS) : MIN_INTERVAL_MS
  return { firstMs: null, lastMs: pace.lastMs, startedMs: now, intervalMs }
}
