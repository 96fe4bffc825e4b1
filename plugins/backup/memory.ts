/**
 * Gives memory back that nobody reads any more, without waiting for the collector: what comes next finds it warm.
 * A part of a larger piece of memory is left alone.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) buffer.transfer(0)
}

/** Of tar, so of 80,000 small files at most: large pieces are released by hand, this is for what is left. */
const COLLECT_EVERY_BYTES = 134_217_728

/** Of a million entries that are only looked at: 219 MB without it. */
const COLLECT_EVERY_ENTRIES = 65_536

/**
 * Passes a stream on, and now and then has the collector free what is used no longer. Left to itself it does so on
 * a thread of its own, which gets no time where backups run with the lowest priority: memory would grow.
 */
export function collecting(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  return collectingEvery(COLLECT_EVERY_BYTES, chunks)
}

/** The same for entries that are looked at and dropped, in batches. */
export function collectingEntries<T>(batches: AsyncIterable<T[]>): AsyncGenerator<T[]> {
  return collectingEvery(COLLECT_EVERY_ENTRIES, batches)
}

async function* collectingEvery<T extends { length: number }>(
  every: number,
  pieces: AsyncIterable<T>,
): AsyncGenerator<T> {
  let passed = 0
  for await (const piece of pieces) {
    passed += piece.length
    if (passed >= every) {
      passed = 0
      Bun.gc(true)
    }
    yield piece
  }
}
