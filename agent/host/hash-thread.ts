// A thread that helps to hash: the program that a `Worker` of hash-pool.ts runs.
import { FileHash } from './file-hash.ts'
import { CONTROL, DIGEST_BYTES, type HashMemory, jobOf } from './hash-protocol.ts'

declare const self: Worker

let memory: HashMemory | undefined
const COLLECT_EVERY_ROUNDS = 8
let rounds = 0
const digest = new Uint8Array(DIGEST_BYTES)

self.onmessage = (event: MessageEvent<HashMemory | 'round'>) => {
  if (event.data !== 'round') {
    memory = event.data
    return
  }
  if (!memory) return
  const { control, digests } = memory
  const failed: [index: number, message: string, code: string][] = []
  for (;;) {
    const index = Atomics.add(control, CONTROL.next, 1)
    if (index >= Atomics.load(control, CONTROL.count)) break
    try {
      const { path, inode } = jobOf(memory, index)
      const file = new FileHash(path, inode)
      try {
        while (file.step() > 0 && Atomics.load(control, CONTROL.stop) === 0);
        file.digest(digest)
        digests.set(digest, index * DIGEST_BYTES)
      } finally {
        file.close()
      }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      failed.push([index, error instanceof Error ? error.message : String(error), code])
    }
  }
  self.postMessage(failed)
  if (++rounds % COLLECT_EVERY_ROUNDS === 0) Bun.gc(true)
}
