// A thread that makes small files: the program that a `Worker` of file-maker.ts runs.
import type { RefusedOwners } from './entry-attributes.ts'
import { FileBatch } from './file-batch.ts'
import { CONTROL, type FileMakerMemory } from './file-maker.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { makeFiles } from './make-files.ts'

declare const self: { onmessage: (event: { data: FileMakerMemory }) => void }

self.onmessage = ({ data: { control, memories } }) => {
  Atomics.store(control, CONTROL.threadId, systemCall(NUMBERS[architecture()].gettid))
  const batches = memories.map((memory) => new FileBatch(memory))
  const refused: RefusedOwners = new Set()
  const isStopped = () => Atomics.load(control, CONTROL.stopped) === 1
  while (!isStopped()) {
    const posted = Atomics.load(control, CONTROL.posted)
    const batch = batches.find((candidate) => candidate.claim())
    if (!batch) {
      Atomics.wait(control, CONTROL.posted, posted)
      continue
    }
    try {
      makeFiles(batch, refused, isStopped)
    } finally {
      batch.finish()
    }
  }
}
