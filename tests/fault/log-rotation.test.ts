import { expect, setDefaultTimeout, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { allLines, DAY_MS, type LogFixture, logFixture, rules } from '../plugins/log-rotation/fixture.ts'
import { randomNumbers } from './random-numbers.ts'
import { canMount, smallFileSystem } from './small-file-system.ts'

setDefaultTimeout(1_800_000)

/** The long form: REEVE_FAULT_RUNS=1000 REEVE_FAULT_SEED=7 bun test tests/fault/log-rotation.test.ts */
const RUNS = Number(process.env.REEVE_FAULT_RUNS ?? 12)
const SEED = Number(process.env.REEVE_FAULT_SEED ?? 20260731)

const LOGS = ['renamed.log', 'told.log', 'copied.log'] as const

/** Three logs, one for each way to rotate, each with two generations and numbered lines. */
class NumberedLogs implements Disposable {
  readonly fixture: LogFixture
  private written = 0

  constructor() {
    this.fixture = logFixture({ paths: ['renamed.log'], interval: 'daily', keep: 50, compress: 'zstd' })
    this.fixture.config.sets.push(
      {
        name: 'told',
        paths: [this.fixture.path('told.log')],
        interval: 'daily',
        keep: 50,
        compress: 'gzip',
        delayCompress: true,
        afterRotate: ['/bin/true'],
      },
      {
        name: 'copied',
        paths: [this.fixture.path('copied.log')],
        interval: 'daily',
        keep: 50,
        compress: 'zstd',
        method: 'copytruncate',
      },
    )
  }

  write(): void {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${this.written + index}\n`).join('')
    for (const log of LOGS) appendFileSync(this.fixture.path(log), lines)
    this.written += 40
  }

  nextDay(): void {
    this.fixture.nowMs += DAY_MS
  }

  /** Runs a job in a process of its own that dies at the given place; returns how many places there were. */
  async runAndDie(cut: number): Promise<number> {
    const { config, stateDir, nowMs } = this.fixture
    const child = Bun.spawn(
      [
        process.execPath,
        `${import.meta.dir}/log-rotation-child.ts`,
        JSON.stringify({ config, stateDir, nowMs, cut }),
      ],
      { stdout: 'pipe', stderr: 'pipe' },
    )
    const [stdout, stderr] = [
      await new Response(child.stdout).text(),
      await new Response(child.stderr).text(),
    ]
    await child.exited
    if (cut === 0) {
      expect({ exitCode: child.exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      return Number(stdout)
    }
    expect({ signal: child.signalCode, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' })
    return 0
  }

  expectWhole(place: string): void {
    for (const log of LOGS) {
      const lines = allLines(this.fixture.path(log))
      const wrong = lines.findIndex((line, index) => line !== `line ${index}`)
      expect({ place, log, lines: lines.length, wrong }).toEqual({
        place,
        log,
        lines: this.written,
        wrong: -1,
      })
    }
    const leftovers = this.fixture.names().filter((name) => name.startsWith('.'))
    expect({ place, leftovers }).toEqual({ place, leftovers: [] })
  }

  expectGenerations(place: string, expected: number): void {
    for (const log of LOGS) {
      const generations = this.fixture.names().filter((name) => name.startsWith(`${log}.`)).length
      expect({ place, log, generations }).toEqual({ place, log, generations: expected })
    }
  }

  [Symbol.dispose](): void {
    this.fixture[Symbol.dispose]()
  }
}

async function prepared(): Promise<NumberedLogs> {
  const logs = new NumberedLogs()
  logs.write()
  await logs.fixture.firstSight()
  for (let round = 0; round < 2; round++) {
    await logs.fixture.enforce()
    logs.write()
    logs.nextDay()
  }
  return logs
}

test(`a rotation that is killed at any of ${RUNS} places loses no line and keeps none twice`, async () => {
  const random = randomNumbers(SEED)
  using counted = await prepared()
  const places = await counted.runAndDie(0)
  expect(places).toBeGreaterThan(50)
  counted.expectWhole('not cut')
  for (let run = 0; run < RUNS; run++) {
    const cut = 1 + random(places)
    const place = `seed ${SEED}, run ${run}, cut ${cut} of ${places}`
    using logs = await prepared()
    await logs.runAndDie(cut)
    // The writers go on before anybody repairs anything, and a second death may follow.
    logs.write()
    if (random(3) === 0) {
      const { config, stateDir, nowMs } = logs.fixture
      const second = 1 + random(places)
      const task = JSON.stringify({ config, stateDir, nowMs, cut: second })
      await Bun.spawn([process.execPath, `${import.meta.dir}/log-rotation-child.ts`, task], {
        stdout: 'ignore',
      }).exited
      logs.write()
    }
    const repaired = await logs.fixture.enforce()
    expect({ place, failed: repaired.applied.findings, open: rules(repaired.after) }).toEqual({
      place,
      failed: [],
      open: [],
    })
    logs.expectWhole(place)
    // Twice before, and once on the day of the death, however often it was tried.
    logs.expectGenerations(place, 3)
    await logs.fixture.enforce()
    logs.expectGenerations(`${place}, and again`, 3)
    logs.write()
    logs.nextDay()
    expect({ place, open: rules((await logs.fixture.enforce()).after) }).toEqual({ place, open: [] })
    logs.expectWhole(`${place}, a day later`)
  }
})

test.skipIf(!canMount)(
  'a full disk leaves the log and its generation whole (needs the right to mount)',
  async () => {
    using logs = logFixture({ paths: ['small/*.log'], size: 1, compress: 'gzip' })
    using _ = smallFileSystem(logs.path('small'), 'size=1m,mode=755')
    const text = randomBytes(400 * 1024).toString('base64')
    writeFileSync(logs.path('small/app.log'), text)
    writeFileSync(logs.path('small/ballast'), Buffer.alloc(300 * 1024))
    const { applied, after } = await logs.enforce()
    expect(applied.findings).toMatchObject([
      { rule: 'compression-failed', subject: logs.path('small/app.log.1') },
    ])
    expect(applied.findings[0]?.summary).toContain('no space left')
    expect(applied.findings[0]?.remedy).toContain('Make room')
    expect(rules(after)).toEqual(['compression-due'])
    expect(readFileSync(logs.path('small/app.log.1'), 'utf8') === text).toBe(true)
    expect(statSync(logs.path('small/app.log')).size).toBe(0)

    rmSync(logs.path('small/ballast'))
    expect((await logs.enforce()).after.findings).toEqual([])
    expect(logs.content('small/app.log.1.gz') === text).toBe(true)
  },
)

test.skipIf(!canMount)('copytruncate on a full disk changes nothing (needs the right to mount)', async () => {
  using logs = logFixture({ paths: ['small/*.log'], size: 1, method: 'copytruncate' })
  using _ = smallFileSystem(logs.path('small'), 'size=1m,mode=755')
  const text = 'x'.repeat(700 * 1024)
  writeFileSync(logs.path('small/app.log'), text)
  const { applied, after } = await logs.enforce()
  expect(rules(applied)).toEqual(['rotation-failed'])
  expect(rules(after)).toEqual(['rotation-due'])
  expect(after.facts?.[0]?.data.lastRotation).toBeNull()
  expect(readFileSync(logs.path('small/app.log'), 'utf8') === text).toBe(true)
  expect(Bun.spawnSync(['ls', '-A', logs.path('small')]).stdout.toString()).toBe('app.log\n')
})

test.skipIf(!canMount)(
  'a file system without inodes leaves the log in place (needs the right to mount)',
  async () => {
    using logs = logFixture({ paths: ['small/*.log'], size: 1, compress: 'none' })
    using _ = smallFileSystem(logs.path('small'), 'size=1m,nr_inodes=5,mode=755')
    writeFileSync(logs.path('small/app.log'), 'one\n')
    for (const name of ['a', 'b', 'c']) writeFileSync(logs.path(`small/${name}`), '')
    const { applied, after } = await logs.enforce()
    expect(rules(applied)).toEqual(['rotation-failed'])
    expect(rules(after)).toEqual(['rotation-due'])
    expect(readFileSync(logs.path('small/app.log'), 'utf8')).toBe('one\n')
    for (const name of ['a', 'b', 'c']) rmSync(logs.path(`small/${name}`))
    expect((await logs.enforce()).after.findings).toEqual([])
    expect(readFileSync(logs.path('small/app.log.1'), 'utf8')).toBe('one\n')
  },
)

test.skipIf(!canMount)(
  'without room for its state nothing is rotated (needs the right to mount)',
  async () => {
    using logs = logFixture({ paths: ['app.log'], size: 1 })
    using _ = smallFileSystem(logs.stateDir, 'size=64k,mode=700')
    writeFileSync(logs.path('app.log'), 'one\n')
    const job = logs.underTest()
    const { findings } = await job.check()
    expect(rules({ findings })).toEqual(['rotation-due'])
    expect(() => writeFileSync(`${logs.stateDir}/ballast`, Buffer.alloc(65_536))).toThrow('ENOSPC')
    await expect(job.apply(findings)).rejects.toThrow('no space left')
    expect(logs.names()).toEqual(['app.log'])
    rmSync(`${logs.stateDir}/ballast`)
    expect((await logs.enforce()).after.findings).toEqual([])
  },
)
