// `reeve audit baseline` of the compiled binary against `lynis audit system --quick`, in the same run and on the same
// throw-away host (an overlay over this machine's root, in namespaces of its own): 100 listening sockets, 300 units,
// and as many files below /etc, /home and /usr as asked for. As root:
//
//     bun scripts/bench/audit.ts [--files 200000] [--rounds 3] [--profile baseline] [--no-lynis]
//
// Memory is the sum of the proportional set sizes of all processes of the run at its peak, looked at 50 times a second.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CaseHost, whyNoCaseHost } from '../../tests/kit/case-host/host.ts'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'string', default: 'baseline' },
    'no-lynis': { type: 'boolean', default: false },
  },
})
const LISTENERS = 100
const UNITS = 300
const SAMPLE_MS = 20
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`
const mebibytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`

const reason = whyNoCaseHost()
if (reason) throw new Error(`Cannot make the host: ${reason}`)
const base = mkdtempSync(join(tmpdir(), 'reeve-bench-'))
try {
  await bench()
} finally {
  rmSync(base, { recursive: true, force: true })
}

async function bench(): Promise<void> {
  furnish(base)
  await using host = await CaseHost.start(base, values.profile)
  const files = fill(host, Number(values.files))
  console.log(
    `host: ${files} files below /etc, /home and /usr, ${UNITS} units, ${LISTENERS} listening sockets`,
  )
  const ours: Measured[] = []
  for (let round = 0; round < Number(values.rounds); round++)
    ours.push(await measure(host, ['reeve', 'audit']))
  const wallMs = median(ours.map((one) => one.wallMs))
  const bytes = Math.max(...ours.map((one) => one.peakBytes))
  console.log(
    `reeve audit ${values.profile}   ${seconds(wallMs)} (wanted ≤ 5 s), peak ${mebibytes(bytes)} (wanted ≤ 200 MiB)`,
  )
  for (const { job, ms } of slowestJobs(host)) console.log(`    ${String(ms).padStart(6)} ms  ${job}`)
  if (values['no-lynis']) return
  if (!Bun.which('lynis')) {
    console.log('lynis is not installed: nothing to compare with')
    return
  }
  const lynis = await measure(host, ['lynis', 'audit', 'system', '--quick', '--no-colors', '--quiet'])
  console.log(`lynis --quick            ${seconds(lynis.wallMs)}, peak ${mebibytes(lynis.peakBytes)}`)
  console.log(`ratio                    ${(wallMs / lynis.wallMs).toFixed(3)} × the time of lynis`)
}

/** A case of its own: its listeners and units. */
function furnish(directory: string): void {
  const units = join(directory, 'root/etc/systemd/system')
  mkdirSync(units, { recursive: true })
  for (let unit = 0; unit < UNITS; unit++) {
    const text = `[Unit]\nDescription=Service ${unit}\n\n[Service]\nExecStart=/usr/bin/sleep ${unit}\nUser=nobody\n`
    writeFileSync(
      join(units, `service-${unit}.service`),
      `${text}NoNewPrivileges=yes\n\n[Install]\nWantedBy=multi-user.target\n`,
    )
  }
  const listen = Array.from(
    { length: LISTENERS },
    (_, index) => `${index % 2 ? '127.0.0.1' : '0.0.0.0'}:${20_000 + index}`,
  )
  const settings = { services: [{ program: '/usr/local/bin/listener', listen }], prepare: 'sh /run/apt.sh' }
  writeFileSync(join(directory, 'host.yaml'), JSON.stringify(settings))
}

/** Small files, in directories of a hundred, until there are as many as wanted; returns how many there are. */
function fill(host: CaseHost, wanted: number): number {
  const count = () => Number(host.shell('find /etc /home /usr -xdev -type f 2>/dev/null | wc -l'))
  host.shell('mkdir -p /home')
  const missing = wanted - count()
  const script = `for my $i (0..$ARGV[0]-1) { my $d = sprintf "/home/user%d/d%d", $i % 20, $i / 2000;
    unless (-d $d) { mkdir $d =~ s{/d\\d+$}{}r; mkdir $d } open my $f, ">", "$d/f$i" or die; print $f "setting = $i\\n"; }`
  if (missing > 0) host.run(['perl', '-e', script, String(missing)])
  return count()
}

interface Measured {
  wallMs: number
  peakBytes: number
}

async function measure(host: CaseHost, command: string[]): Promise<Measured> {
  const before = new Set(processesOf(host))
  const began = performance.now()
  const running = host.start(command)
  let isDone = false
  const ended = running.exited.then(() => {
    isDone = true
    return performance.now() - began
  })
  let peakBytes = 0
  while (!isDone) {
    const started = processesOf(host).filter((pid) => !before.has(pid))
    peakBytes = Math.max(
      peakBytes,
      started.reduce((sum, pid) => sum + proportionalBytes(pid), 0),
    )
    await Promise.race([ended, Bun.sleep(SAMPLE_MS)])
  }
  const wallMs = await ended
  if (running.exitCode === null || running.exitCode === 1)
    throw new Error(`"${command.join(' ')}" failed: ${await running.stderr.text()}`)
  return { wallMs, peakBytes }
}

/** What runs in its namespace, by the numbers of this one. */
function processesOf(host: CaseHost): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && namespaceOf(name) === host.namespace)
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined // it has gone
  }
}

/** 0 for a process that has gone. */
function proportionalBytes(pid: string): number {
  try {
    return (
      Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024
    )
  } catch {
    return 0
  }
}

function slowestJobs(host: CaseHost): { job: string; ms: number }[] {
  const { stdout } = host.try(['reeve', 'runs', '--json'])
  const runs: { job: string; durationMs: number | null }[] = JSON.parse(stdout)
  const newest = new Map(runs.toReversed().map(({ job, durationMs }) => [job, durationMs ?? 0]))
  return [...newest].map(([job, ms]) => ({ job, ms })).toSorted((a, b) => b.ms - a.ms)
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}
