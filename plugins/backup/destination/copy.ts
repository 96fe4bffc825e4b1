import type { Destination, DestinationReader, KnownObject } from './destination.ts'
import { RateLimit } from './rate.ts'

/**
 * Brings a stored object to another place as it is, still encrypted; what an earlier try has left there is used.
 * Whether the copy is the same is for whoever reads it back.
 */
export async function copyObject(
  from: DestinationReader,
  to: Destination,
  name: string,
  known: KnownObject,
  options: { bandwidth: number | undefined; signal: AbortSignal; progress(bytes: number): void },
): Promise<void> {
  const sink = await to.create(name, known)
  try {
    const limit = new RateLimit(options.bandwidth)
    let bytes = sink.offset
    for await (const chunk of from.read(name, sink.offset)) {
      options.signal.throwIfAborted()
      bytes += chunk.length
      if (bytes > known.bytes) throw new Error(`"${name}" has grown in ${from.location}`)
      await limit.wait(chunk.length, options.signal)
      await sink.write(chunk)
      options.progress(bytes)
    }
    if (bytes !== known.bytes) throw new Error(`"${name}" is shorter than it was in ${from.location}`)
    await sink.commit()
  } finally {
    await sink.abort()
  }
}
