/** Time as the alerts see it, so that a test can be days later at once. */
export interface Clock {
  /** UTC milliseconds. */
  now(): number
  /** Calls `wake` once after `delayMs`; the function that it returns takes that back. */
  after(delayMs: number, wake: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, delayMs)
    return () => clearTimeout(timer)
  },
}
