/** What the threads of a hash pool share: indexes of `control`, and of the words of a job in `table`. */
export const CONTROL = { next: 0, count: 1, stop: 2 } as const
export const JOB_WORDS = { pathStart: 0, pathLength: 1, inodeLow: 2, inodeHigh: 3 } as const
export const WORDS_PER_JOB = 4
export const DIGEST_BYTES = 32

export interface HashMemory {
  control: Int32Array<SharedArrayBuffer>
  table: Uint32Array<SharedArrayBuffer>
  digests: Uint8Array<SharedArrayBuffer>
  paths: Uint8Array<SharedArrayBuffer>
}

export function jobOf({ table, paths }: HashMemory, index: number): { path: string | Buffer; inode: number } {
  const at = index * WORDS_PER_JOB
  const word = (offset: number) => table[at + offset] ?? 0
  const start = word(JOB_WORDS.pathStart)
  const bytes = Buffer.from(paths.buffer, start, word(JOB_WORDS.pathLength))
  const text = bytes.toString('utf8')
  // System calls are not given memory that others share: a name that is no UTF-8 is copied.
  const path = text.includes('\uFFFD') ? Buffer.from(Uint8Array.from(bytes)) : text
  return { path, inode: word(JOB_WORDS.inodeHigh) * 2 ** 32 + word(JOB_WORDS.inodeLow) }
}
