/** A program with a log: writes numbered lines to argv[2], reopens it on SIGHUP, ends with its standard input. */
import { closeSync, openSync, writeSync } from 'node:fs'

const path = process.argv[2] ?? ''
let log = openSync(path, 'a')
process.on('SIGHUP', () => {
  closeSync(log)
  log = openSync(path, 'a')
})
let count = 0
const timer = setInterval(() => {
  for (let line = 0; line < 20; line++) writeSync(log, `line ${count++}\n`)
  if (count === 20) process.stdout.write('started\n')
}, 1)
for await (const _ of Bun.stdin.stream());
clearInterval(timer)
process.stdout.write(`${count}\n`)
