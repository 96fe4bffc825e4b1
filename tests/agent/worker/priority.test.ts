import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

const PRIORITY = join(import.meta.dir, '../../../agent/worker/priority.ts')
const SCHED_OTHER = 0
const SCHED_IDLE = 5

// There is no way back from idle, so it is another process that goes there. proc_pid_stat(5): field 41 is the policy.
const CHILD = `
  import { readdirSync, readFileSync } from 'node:fs'
  import { runIdle } from ${JSON.stringify(PRIORITY)}
  const policies = () => readdirSync('/proc/self/task').map((thread) =>
    Number(readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').split(') ').at(-1).split(' ').at(38)))
  // Threads of the pool are there before.
  await Promise.all([1, 2, 3].map(() => Bun.file('/proc/self/status').text()))
  const before = policies()
  runIdle()
  const after = policies()
  const program = Bun.spawnSync(['cat', '/proc/self/stat']).stdout.toString()
  console.log(JSON.stringify({ before, after, program: Number(program.split(') ').at(-1).split(' ').at(38)) }))
`
const answer = z.object({ before: z.array(z.number()), after: z.array(z.number()), program: z.number() })

test('runIdle() makes every thread of the process idle, and what it starts', () => {
  const child = Bun.spawnSync([process.execPath, '-e', CHILD])
  const { before, after, program } = answer.parse(JSON.parse(child.stdout.toString()))
  expect(before.length).toBeGreaterThan(1)
  expect(new Set(before)).toEqual(new Set([SCHED_OTHER]))
  expect(new Set(after)).toEqual(new Set([SCHED_IDLE]))
  expect(program).toBe(SCHED_IDLE)
})
