// Start, memory, idle CPU, a jailed no-op run, and the API under load, of the compiled binary:
//
//     bun scripts/bench/daemon.ts [--entries 300000] [--idle 60]
//
// The start is measured against a bare compiled Bun.serve in the same run, taking turns.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { entries: { type: 'string', default: '300000' }, idle: { type: 'string', default: '60' } },
})
const CHECKOUT = join(import.meta.dir, '../..')
const ROUNDS = 15

const base = mkdtempSync(join(tmpdir(), 'reeve-bench-'))
try {
  const reeve = join(base, 'reeve')
  const bare = join(base, 'bare')
  build(['scripts/build.ts', '--outfile', reeve])
  build([
    'build',
    'scripts/bench/bare-server.ts',
    '--compile',
    '--minify',
    '--bytecode',
    '--format=esm',
    '--outfile',
    bare,
  ])
  await benchStart(reeve, bare)
  await benchDaemon(reeve)
} finally {
  rmSync(base, { recursive: true, force: true })
}

function build(args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, ...args], { cwd: CHECKOUT })
  if (exitCode !== 0) throw new Error(`Cannot build: ${stderr}`)
}

async function benchStart(reeve: string, bare: string): Promise<void> {
  const ours: number[] = []
  const ready: number[] = []
  const yardstick: number[] = []
  const place = await configure('start', {})
  for (let round = 0; round < ROUNDS; round++) {
    yardstick.push(await timeBare(bare))
    const { daemon, answerMs, readyMs } = await startDaemon(reeve, place)
    ours.push(answerMs)
    ready.push(readyMs)
    await stop(daemon)
  }
  const [a, b] = [median(ours), median(yardstick)]
  console.log(
    `start to first answer of /readyz   ${a.toFixed(0)} ms, bare Bun.serve ${b.toFixed(0)} ms: ${(a / b).toFixed(2)} × (wanted ≤ 2)`,
  )
  console.log(`start to "ready"                   ${median(ready).toFixed(0)} ms`)
}

async function benchDaemon(reeve: string): Promise<void> {
  const tree = join(base, 'tree')
  makeTree(tree, Number(values.entries))
  const noop = join(base, 'noop.ts')
  writeFileSync(
    noop,
    `export default ({ definePlugin, z }) => definePlugin({ name: 'noop', summary: 'Nothing', defaults: { schedule: 'manual', timeout: '1m' },
      rules: {}, config: z.strictObject({}), permissions: () => ({ check: {} }), check: async () => ({ findings: [] }) })`,
  )
  const walk = { plugin: 'permission-drift', schedule: 'manual', config: { trees: [{ path: tree }] } }
  const place = await configure('daemon', { noop: { plugin: 'noop' }, walk }, [noop])
  const { daemon } = await startDaemon(reeve, place)
  try {
    await Bun.sleep(20_000)
    const rss = status(daemon.pid, 'VmRSS')
    console.log(
      `idle resident set                  ${(rss / 1024).toFixed(0)} MB (anonymous ${(status(daemon.pid, 'RssAnon') / 1024).toFixed(0)} MB) (wanted ≤ 60 MB)`,
    )
    const before = cpuTicks(daemon.pid)
    await Bun.sleep(Number(values.idle) * 1000)
    const share = ((cpuTicks(daemon.pid) - before) * 10) / (Number(values.idle) * 1000)
    console.log(
      `idle CPU                           ${(100 * share).toFixed(2)} % over ${values.idle} s (wanted ≤ 0.2 %)`,
    )

    const runs: number[] = []
    for (let round = 0; round < ROUNDS; round++) runs.push(await timedRun(place, 'noop'))
    console.log(
      `jailed no-op run                   ${median(runs).toFixed(0)} ms from request to answer, median of ${ROUNDS} (wanted ≤ 60 ms)`,
    )

    await timedRun(place, 'walk')
    const latencies: number[] = []
    let walking = true
    const walked = timedRun(place, 'walk').finally(() => {
      walking = false
    })
    while (walking && latencies.length < 2000) {
      const started = performance.now()
      await (await ask(place, '/v1/status')).arrayBuffer()
      latencies.push(performance.now() - started)
      await Bun.sleep(2)
    }
    const seconds = (await walked) / 1000
    console.log(
      `API while ${values.entries} files are walked  p99 ${percentile(latencies, 0.99).toFixed(1)} ms of ${latencies.length} requests in ${seconds.toFixed(1)} s (wanted ≤ 50 ms)`,
    )
  } finally {
    await stop(daemon)
  }
}

interface Place {
  config: string
  socket: string
  port: number
}

async function configure(name: string, jobs: object, plugins: string[] = []): Promise<Place> {
  const directory = join(base, name)
  mkdirSync(directory, { mode: 0o700 })
  const port = await freePort()
  const config = join(directory, 'reeve.yaml')
  const socket = join(directory, 'reeve.sock')
  const text = {
    stateDir: join(directory, 'state'),
    api: { listen: `127.0.0.1:${port}`, socket },
    plugins: { paths: plugins },
    jobs,
  }
  writeFileSync(config, JSON.stringify(text), { mode: 0o600 })
  return { config, socket, port }
}

async function startDaemon(reeve: string, place: Place) {
  const started = performance.now()
  const daemon = Bun.spawn([reeve, 'daemon', '--config', place.config], {
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const url = `http://127.0.0.1:${place.port}/readyz`
  await answer(url, () => true)
  const answerMs = performance.now() - started
  await answer(url, (response) => response.ok)
  return { daemon, answerMs, readyMs: performance.now() - started }
}

async function timeBare(bare: string): Promise<number> {
  const port = await freePort()
  const started = performance.now()
  const server = Bun.spawn([bare], { env: { ...process.env, BUN_PORT: String(port) }, stdout: 'pipe' })
  const reader = server.stdout.getReader()
  const { value } = await reader.read()
  const url = Buffer.from(value ?? [])
    .toString('utf8')
    .trim()
  await answer(url, () => true)
  const milliseconds = performance.now() - started
  await stop(server)
  return milliseconds
}

/** Asks without a pause until there is an answer that will do; gives up after ten seconds. */
async function answer(url: string, isEnough: (response: Response) => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (performance.now() < deadline) {
    try {
      if (isEnough(await fetch(url))) return
    } catch {
      await Bun.sleep(0.5)
    }
  }
  throw new Error(`No answer from ${url}`)
}

async function timedRun(place: Place, job: string): Promise<number> {
  const started = performance.now()
  const response = await ask(place, `/v1/jobs/${job}/run?wait=true`, 'POST')
  const run = (await response.json()) as { outcome?: string; reason?: string }
  if (run.outcome !== 'clean') throw new Error(`${job} was not clean: ${JSON.stringify(run)}`)
  return performance.now() - started
}

function ask(place: Place, path: string, method = 'GET'): Promise<Response> {
  return fetch(`http://localhost${path}`, { unix: place.socket, method })
}

async function stop(child: Bun.Subprocess): Promise<void> {
  child.kill('SIGTERM')
  await child.exited
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Kilobytes of a line of /proc/PID/status. */
function status(pid: number, name: string): number {
  return Number(
    new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ??
      Number.NaN,
  )
}

/** User and system time of a process in clock ticks of 10 ms. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

function makeTree(directory: string, entries: number): void {
  const perDirectory = 200
  for (let made = 0, index = 0; made < entries; index++) {
    const place = join(directory, `d${index % 50}`, `e${index}`)
    mkdirSync(place, { recursive: true })
    for (let file = 0; file < perDirectory && made < entries; file++, made++)
      writeFileSync(join(place, `file-${file}`), '')
  }
}

function median(numbers: number[]): number {
  return percentile(numbers, 0.5)
}

function percentile(numbers: number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
