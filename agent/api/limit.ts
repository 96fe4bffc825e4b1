/** Of the body of a request. */
export const MAX_BODY_BYTES = 65_536

/**
 * At most `limit` events of one key within any `windowMs`. Keeps no more than `maxKeys` keys: the one that
 * was silent for longest goes first, so its memory is bounded whoever asks.
 */
export class SlidingWindow {
  private readonly events = new Map<string, number[]>()

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly maxKeys = 1024,
  ) {}

  /** Counts one event. Returns 0, or the milliseconds to wait when it is one too many (and not counted). */
  take(key: string, now: number): number {
    const waitMs = this.waitMs(key, now)
    if (waitMs > 0) return waitMs
    const recent = this.recent(key, now)
    recent.push(now)
    this.events.delete(key)
    this.events.set(key, recent)
    for (const oldest of this.events.keys()) {
      if (this.events.size <= this.maxKeys) break
      this.events.delete(oldest)
    }
    return 0
  }

  /** Milliseconds until another event is allowed; 0 for now. Counts nothing. */
  waitMs(key: string, now: number): number {
    const recent = this.recent(key, now)
    const first = recent[0]
    return recent.length < this.limit || first === undefined ? 0 : Math.max(1, first + this.windowMs - now)
  }

  private recent(key: string, now: number): number[] {
    return (this.events.get(key) ?? []).filter((at) => at > now - this.windowMs && at <= now)
  }
}
