/** Holds a stream to so many bytes a second, on the average since the first one; undefined is no limit. */
export class RateLimit {
  private readonly startedAt = performance.now()
  private bytes = 0

  constructor(private readonly bytesPerSecond: number | undefined) {}

  /** Resolves when so many more bytes may go. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === undefined) return
    this.bytes += bytes
    const dueMs = (this.bytes / this.bytesPerSecond) * 1000
    for (;;) {
      signal.throwIfAborted()
      const leftMs = dueMs - (performance.now() - this.startedAt)
      if (leftMs <= 0) return
      await Bun.sleep(Math.min(leftMs, 500))
    }
  }
}
