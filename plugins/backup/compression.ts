import type { BlockPool } from './archive/blocks.ts'
import { release } from './memory.ts'
import { FrameSplitter } from './zstd-frames.ts'

/** Frames that are compressed at the same time, on the runtime's own threads, while the next block is read. */
const PARALLEL_FRAMES = 2

/**
 * Content is compressed in frames of this size, and is read, archived and sent on in blocks of it. Measured on
 * /usr/share: half of it makes a backup 1 % larger, twice of it 1 % smaller.
 */
export const FRAME_CONTENT_BYTES = 2_097_152

/** Zstandard: each block becomes a frame of its own. Frames one after the other are one stream to `zstd -d`. */
export async function* compress(
  blocks: AsyncIterable<Uint8Array>,
  level: number,
  pool: BlockPool,
): AsyncGenerator<Uint8Array> {
  yield* inOrder(blocks, async (block) => {
    const frame = await Bun.zstdCompress(block, { level })
    pool.give(block)
    return frame
  })
}

/** The other way. What it yields is valid until the next block is asked for. Throws for anything that `compress` would not have written. */
export async function* decompress(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const splitter = new FrameSplitter(FRAME_CONTENT_BYTES)
  const blocks = inOrder(frames(chunks, splitter), async (frame) => {
    const block = await Bun.zstdDecompress(frame)
    splitter.giveBack(frame)
    return block
  })
  for await (const block of blocks) {
    yield block
    release(block)
  }
}

async function* frames(
  chunks: AsyncIterable<Uint8Array>,
  splitter: FrameSplitter,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield* splitter.push(chunk)
  splitter.finish()
}

/** Works on a few items at a time, and gives the results in the order of the items. */
async function* inOrder(
  items: AsyncIterable<Uint8Array>,
  work: (item: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const inWork: Promise<Uint8Array>[] = []
  for await (const item of items) {
    const result = work(item)
    // Awaited below; until then a failure must not count as unhandled.
    result.catch(() => {})
    inWork.push(result)
    const oldest = inWork.length > PARALLEL_FRAMES ? inWork.shift() : undefined
    if (oldest) yield await oldest
  }
  for (const result of inWork) yield await result
}
