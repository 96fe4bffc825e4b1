import { writeSync } from 'node:fs'
import type { WorkerMessage } from './protocol.ts'

const STDOUT = 1

/** Writes one message as a line, whole, even when the pipe is full. */
export function send(message: WorkerMessage): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`, 'utf8')
  let offset = 0
  while (offset < line.length) {
    try {
      offset += writeSync(STDOUT, line, offset)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Bun.sleepSync(1)
    }
  }
}
