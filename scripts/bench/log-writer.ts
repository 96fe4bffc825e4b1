// Writes numbered lines into a log at an even pace, each with a call of its own, and opens it anew on HUP, as a
// server does. On TERM it says how many it wrote: bun scripts/bench/log-writer.ts LOG LINES_PER_SECOND
import { closeSync, openSync, writeSync } from 'node:fs'

const [log = '', pace = ''] = process.argv.slice(2)
const intervalMs = 1000 / Number(pace)
let descriptor = openSync(log, 'a')
let written = 0
let isEnding = false
process.on('SIGHUP', () => {
  closeSync(descriptor)
  descriptor = openSync(log, 'a')
})
process.on('SIGTERM', () => {
  isEnding = true
})

let nextMs = performance.now()
while (!isEnding) {
  // Signals are seen between two turns.
  await Bun.sleep(0)
  const turnEndsMs = performance.now() + 5
  for (let now = performance.now(); now < turnEndsMs; now = performance.now()) {
    if (now < nextMs) continue
    writeSync(descriptor, `${written++} a line as a busy server writes it, with a little text\n`)
    nextMs += intervalMs
  }
}
console.log(written)
process.exit(0)
