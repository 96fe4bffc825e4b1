import { expect, setDefaultTimeout } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { DailyLogs } from './logrotate-fixture.ts'
import { randomNumbers } from './random-numbers.ts'
import { canMount, smallFileSystem } from './small-file-system.ts'

setDefaultTimeout(7_200_000)

/** The long form: REEVE_FAULT_RUNS=500 REEVE_FAULT_SEED=7 bun test tests/fault/logrotate.test.ts */
const RUNS = Number(process.env.REEVE_FAULT_RUNS ?? 12)
const SEED = Number(process.env.REEVE_FAULT_SEED ?? 20260731)

/** All calls that change something, and those that say that it is on the disk. */
const CHANGES = [
  'write',
  'pwrite64',
  'rename',
  'link',
  'unlink',
  'fsync',
  'fdatasync',
  'ftruncate',
  'fchmod',
  'utimensat',
]
/** Calls that a full or broken disk refuses. A refused write would hit the runtime's own pipes, too. */
const REFUSED = ['pwrite64', 'rename', 'link', 'fsync', 'fdatasync', 'ftruncate']

const tracer = (calls: string[], fault: string, log: string) => [
  'strace',
  '-f',
  '--seccomp-bpf',
  '-qq',
  '-o',
  log,
  '-e',
  `trace=${calls.join()}`,
  '-e',
  `inject=${calls.join()}:${fault}`,
]

/** How often each call is made by a rotation that nobody disturbs. strace counts for each thread. */
async function countCalls(): Promise<Map<string, number>> {
  using logs = new DailyLogs()
  using trace = temporaryDirectory()
  const argv = [
    'strace',
    '-f',
    '--seccomp-bpf',
    '-qq',
    '-o',
    `${trace.path}/log`,
    '-e',
    `trace=${CHANGES.join()}`,
  ]
  expect(logs.run(argv)).toMatchObject({ exitCode: 0, stderr: '' })
  logs.expectWhole('not disturbed')
  const lines = (await Bun.file(`${trace.path}/log`).text()).split('\n')
  const main = lines[0]?.split(' ')[0]
  const counts = new Map(CHANGES.map((call) => [call, 0]))
  for (const line of lines) {
    const [, thread, call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? []
    if (thread === main) counts.set(call, (counts.get(call) ?? 0) + 1)
  }
  return counts
}

testWith({ programs: ['strace'] })(
  `logrotate() that is killed or refused at any of ${RUNS} system calls loses no line and keeps none twice`,
  async () => {
    const counts = await countCalls()
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThan(100)
    using trace = temporaryDirectory()
    const random = randomNumbers(SEED)
    const disturb = () => {
      const kinds = ['any call', 'one kind of call', 'an error', 'errors from then on'] as const
      const kind = kinds[random(kinds.length)] ?? 'any call'
      if (kind === 'any call')
        return { kind, calls: CHANGES, fault: `signal=SIGKILL:when=${1 + random(total)}` }
      const among = kind === 'one kind of call' ? CHANGES : REFUSED
      const call = among[random(among.length)] ?? 'rename'
      const when = 1 + random(Math.max(1, counts.get(call) ?? 1))
      if (kind === 'one kind of call') return { kind, calls: [call], fault: `signal=SIGKILL:when=${when}` }
      const error = call.startsWith('f') ? 'EIO' : 'ENOSPC'
      const until = kind === 'an error' ? '' : '+'
      return { kind, calls: [call], fault: `error=${error}:when=${when}${until}` }
    }
    for (let run = 0; run < RUNS; run++) {
      using logs = new DailyLogs()
      const faults = [disturb(), ...(random(3) === 0 ? [disturb()] : [])]
      const place = `seed ${SEED}, run ${run}: ${faults.map(({ calls, fault }) => `${calls.join()} ${fault}`).join('; then ')}`
      for (const { calls, fault } of faults) {
        logs.run(tracer(calls, fault, `${trace.path}/log`))
        // The writers go on before anybody repairs anything.
        logs.write()
      }
      expect({ place, ...logs.run() }).toEqual({ place, exitCode: 0, signal: null, stderr: '' })
      logs.expectWhole(place)
      expect({ place, ...logs.run() }).toEqual({ place, exitCode: 0, signal: null, stderr: '' })
      logs.expectWhole(`${place}; and again`)
      logs.write()
      logs.nextDay()
      expect({ place, ...logs.run() }).toEqual({ place, exitCode: 0, signal: null, stderr: '' })
      logs.expectWhole(`${place}; a day later`)
    }
  },
)

/** What is left free decides which step is the first without room. */
const ROOM = [0, 8, 24, 48, 96, 200]

testWith({ root: true, ...(canMount ? {} : { reason: 'may not mount' }) })(
  'logrotate() on a full disk ends its rotations when there is room again',
  () => {
    for (const freeKilobytes of ROOM) {
      const place = `${freeKilobytes} KiB free`
      using directory = temporaryDirectory()
      using _ = smallFileSystem(`${directory.path}/small`, 'size=4m,mode=755')
      using logs = new DailyLogs(`${directory.path}/small`)
      fillUp(logs.at('old/ballast'), freeKilobytes)
      logs.run()
      rmSync(logs.at('old/ballast'))
      expect({ place, ...logs.run() }).toEqual({ place, exitCode: 0, signal: null, stderr: '' })
      logs.expectWhole(place)
    }
  },
)

function fillUp(path: string, freeKilobytes: number): void {
  const block = Buffer.alloc(4096)
  writeFileSync(path, '')
  try {
    for (;;) writeFileSync(path, block, { flag: 'a' })
  } catch {
    Bun.spawnSync(['truncate', '-s', `-${freeKilobytes}K`, path])
  }
}
