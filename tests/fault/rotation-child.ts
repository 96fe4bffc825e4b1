/**
 * Rotates once, and is killed by a real SIGKILL before its n-th change of the file system, or n-th start of a
 * program: each is a place to die, a write also in its middle.
 */
import { createRequire } from 'node:module'

interface Task {
  config: never
  stateDir: string
  nowMs: number
  /** 0: live on, and say how many places there were. */
  cut: number
}

const CHANGES = [
  'fchmodSync',
  'fchownSync',
  'fsyncSync',
  'linkSync',
  'mkdirSync',
  'openSync',
  'renameSync',
  'unlinkSync',
  'writeSync',
] as const

const task: Task = JSON.parse(process.argv[2] ?? '{}')
const fs = createRequire(import.meta.url)('node:fs')
let places = 0

function mayDie(): void {
  places++
  if (places === task.cut) process.kill(process.pid, 'SIGKILL')
}

for (const name of CHANGES) {
  const original = fs[name]
  fs[name] = (...args: unknown[]) => {
    const [first, second] = args
    const opensToRead = name === 'openSync' && typeof second === 'number' && (second & 3) === 0
    const isPipe = name === 'writeSync' && typeof first === 'number' && first < 3
    if (opensToRead || isPipe) return original(...args)
    mayDie()
    if (name === 'writeSync' && second instanceof Uint8Array && places + 1 === task.cut) {
      original(first, second, 0, Math.floor(second.length / 2))
    }
    if (name === 'writeSync') mayDie()
    return original(...args)
  }
}
const spawn = Bun.spawn
Bun.spawn = ((...args: Parameters<typeof spawn>) => {
  mayDie()
  return spawn(...args)
}) as typeof spawn

// Only now: the host layer must bind the functions above.
const { pluginUnderTest } = await import('../kit/plugin.ts')
const { default: plugin } = await import('../../plugins/credential-age/plugin.ts')
const job = pluginUnderTest(plugin, task.config, { stateDir: task.stateDir, now: new Date(task.nowMs) })
await job.apply([
  { rule: 'credential-rotation-due', subject: 'service', severity: 'warning', summary: 'due', fixable: true },
])
console.log(places)
