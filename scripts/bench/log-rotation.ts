// Rotation by the compiled binary, as `reeve logrotate` and as a job, against the installed logrotate on the same
// files in one run:
//
//     bun scripts/bench/log-rotation.ts [--logs 500] [--renamed 1000] [--rotations 20] [--large 4096] [--directory DIR]
//
// `--large` is one more log, of so many MiB, compressed by reeve for its largest resident set. 0 leaves a part out.
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    logs: { type: 'string', default: '500' },
    renamed: { type: 'string', default: '1000' },
    rotations: { type: 'string', default: '20' },
    large: { type: 'string', default: '0' },
    directory: { type: 'string', default: tmpdir() },
  },
})
const [LOG_BYTES, LINES_PER_SECOND] = [1_000_000, 20_000]
const base = mkdtempSync(join(values.directory, 'reeve-bench-logs-'))
let logs = ''
let madeDirectories = 0
const reeve = join(base, 'reeve')
const logrotate = findProgram('/usr/sbin/logrotate', '/sbin/logrotate')

interface Candidate {
  name: string
  /** Makes what is needed to rotate all of the directory, and says how to call it. */
  prepare(directives: string, set: Record<string, unknown>): string[]
}

const byLogrotate = (name: string, program: string[]): Candidate => ({
  name,
  prepare(directives) {
    const config = join(base, 'logrotate.conf')
    rmSync(join(base, 'status'), { force: true })
    writeFileSync(config, `${logs}/*.log {\nrotate 4\nsize 1\n${directives}\n}\n`, { mode: 0o644 })
    return [...program, '--state', join(base, 'status'), config]
  },
})

const byJob: Candidate = {
  name: 'reeve run, a job',
  prepare(_, set) {
    const [config, stateDir] = [join(base, 'reeve.yaml'), join(base, 'state')]
    rmSync(stateDir, { recursive: true, force: true })
    mkdirSync(stateDir, { mode: 0o700 })
    const sets = [{ name: 'all', paths: [`${logs}/*.log`], size: '1', keep: 4, ...set }]
    const job = { plugin: 'log-rotation', mode: 'enforce', schedule: '@yearly', config: { sets } }
    writeFileSync(config, JSON.stringify({ stateDir, jobs: { logs: job } }))
    chmodSync(config, 0o600)
    return [reeve, '--config', config, 'run', 'logs']
  },
}

try {
  await mustEnd([process.execPath, join(import.meta.dir, '../build.ts'), '--outfile', reeve])
  const ours = [byLogrotate('reeve logrotate', [reeve, 'logrotate']), byJob]
  const all = logrotate ? [byLogrotate('logrotate', [logrotate]), ...ours] : ours
  if (!logrotate) console.log('logrotate is not installed (apt-get install logrotate): no yardstick')
  // First of all, see makeLogs.
  if (Number(values.renamed) > 0) await compareRenames(all)
  if (Number(values.logs) > 0) await compareCompression(all)
  if (Number(values.rotations) > 0) await compareLosses(all)
  if (Number(values.large) > 0) await measureLarge(ours)
} finally {
  rmSync(base, { recursive: true, force: true })
}

async function compareCompression(candidates: Candidate[]): Promise<void> {
  console.log(`${values.logs} logs of 1 MB, gzip`)
  let yardstick: { measurement: Measurement; bytes: number } | undefined
  for (const { name, prepare } of candidates) {
    makeLogs(Number(values.logs), LOG_BYTES)
    const measurement = await mustEnd(prepare('compress\ncreate', { compress: 'gzip' }))
    const archives = readdirSync(logs).filter((file) => file.endsWith('.gz'))
    if (archives.length !== Number(values.logs)) throw new Error(`${name} made ${archives.length} archives`)
    const bytes = archives.reduce((sum, file) => sum + statSync(join(logs, file)).size, 0)
    yardstick ??= { measurement, bytes }
    const size = `${(bytes / yardstick.bytes).toFixed(3)} of its size`
    console.log(formatMeasurement(name, measurement), against(yardstick.measurement, measurement), size)
    rmSync(logs, { recursive: true })
  }
}

async function compareRenames(candidates: Candidate[]): Promise<void> {
  console.log(`${values.renamed} logs renamed and created`)
  let yardstick: Measurement | undefined
  for (const { name, prepare } of candidates) {
    makeLogs(Number(values.renamed), 100)
    const argv = prepare('create', { compress: 'none' })
    const measurement = await mustEnd(argv)
    yardstick ??= measurement
    const cpu = `${measurement.cpuSeconds.toFixed(2)} s of processor time`
    console.log(formatMeasurement(name, measurement), against(yardstick, measurement), cpu)
  }
}

async function compareLosses(candidates: Candidate[]): Promise<void> {
  console.log(`${values.rotations} rotations of a log with ${LINES_PER_SECOND} lines a second: lines lost`)
  const kill = findProgram('/usr/bin/kill', '/bin/kill') ?? 'kill'
  for (const { name, prepare } of candidates) {
    const renamed = await countLosses((writer) =>
      prepare(`create\nrotate 999\npostrotate\nkill -HUP ${writer}\nendscript`, {
        keep: 999,
        compress: 'none',
        afterRotate: [kill, '-HUP', String(writer)],
        afterRotatePermissions: { capabilities: ['CAP_KILL'] },
      }),
    )
    const cut = await countLosses(() =>
      prepare('copytruncate\nrotate 999', { keep: 999, compress: 'none', method: 'copytruncate' }),
    )
    const told = cut.told > 0 ? `, told at ${cut.told} rotations` : ''
    console.log(
      `${name.padEnd(34)} renamed: ${renamed.lost} of ${renamed.written}; ` +
        `copied and truncated: ${cut.lost} of ${cut.written}${told}`,
    )
  }
}

/** Rotates again and again while somebody writes. Every line that is twice is an error. */
async function countLosses(
  prepare: (writer: number) => string[],
): Promise<{ written: number; lost: number; told: number }> {
  makeLogs(0, 0)
  const log = join(logs, 'busy.log')
  writeFileSync(log, '')
  const writer = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'log-writer.ts'), log, String(LINES_PER_SECOND)],
    { stdout: 'pipe', stderr: 'inherit' },
  )
  const argv = prepare(writer.pid)
  let told = 0
  try {
    for (let rotation = 0; rotation < Number(values.rotations); rotation++) {
      for (const endMs = performance.now() + 10_000; statSync(log).size < 50_000; await Bun.sleep(5)) {
        if (performance.now() > endMs) throw new Error('the writer does not write into its log')
      }
      const { stderr } = await mustEnd(argv)
      if (stderr.includes('may be lost')) told++
    }
  } finally {
    writer.kill('SIGTERM')
  }
  const written = Number(await new Response(writer.stdout).text())
  await writer.exited
  const seen = new Set<number>()
  for (const file of readdirSync(logs)) {
    const bytes = readFileSync(join(logs, file))
    for (const line of String(file.endsWith('.gz') ? gunzipSync(bytes) : bytes).split('\n')) {
      if (line === '') continue
      const number = Number.parseInt(line, 10)
      if (seen.has(number)) throw new Error(`line ${number} is there twice`)
      seen.add(number)
    }
  }
  return { written, lost: written - seen.size, told }
}

async function measureLarge(candidates: Candidate[]): Promise<void> {
  console.log(`one log of ${values.large} MiB, gzip`)
  for (const { name, prepare } of candidates) {
    makeLogs(0, 0)
    const descriptor = openSync(join(logs, 'large.log'), 'w')
    const chunk = Buffer.from(logText(1_048_576))
    for (let written = 0; written < Number(values.large); written++) {
      chunk.write(String(written).padStart(12, '0'))
      writeSync(descriptor, chunk)
    }
    closeSync(descriptor)
    console.log(formatMeasurement(name, await mustEnd(prepare('compress\ncreate', { compress: 'gzip' }))))
    rmSync(logs, { recursive: true })
  }
}

/** In a new directory each time: ext4 makes files slowly where many were removed a moment ago. */
function makeLogs(count: number, bytes: number): void {
  logs = join(base, `logs-${++madeDirectories}`)
  mkdirSync(logs, { mode: 0o755 })
  for (let index = 0; index < count; index++) {
    writeFileSync(join(logs, `service-${index}.log`), logText(bytes, index + 1), { mode: 0o640 })
  }
  Bun.spawnSync(['sync', '-f', base])
}

/** Requests as a web server logs them. */
function logText(bytes: number, seed = 1): string {
  let state = seed * 2_654_435_761
  const below = (limit: number) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
  const lines: string[] = []
  for (let length = 0; length < bytes; ) {
    const address = `${below(223) + 1}.${below(256)}.${below(256)}.${below(256)}`
    const time = new Date(1_790_000_000_000 + below(1e9)).toISOString()
    const line = `${address} - - [${time}] "GET /api/v1/items/${below(100_000)} HTTP/1.1" ${below(5) ? 200 : 404} ${below(50_000)} "-" "curl/8.${below(20)}.0" ${below(1000)}\n`
    lines.push(line)
    length += line.length
  }
  return lines.join('').slice(0, bytes)
}

function against(yardstick: Measurement, ours: Measurement): string {
  return `${(ours.seconds / yardstick.seconds).toFixed(2)} of logrotate's time`
}

/** Measures a program that has to end well. */
async function mustEnd(argv: string[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode === 0) return measurement
  throw new Error(`"${argv.join(' ')}" ended with ${measurement.exitCode}: ${measurement.stderr}`)
}
