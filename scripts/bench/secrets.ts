// secret-scan by the compiled binary, a jailed `reeve run`, over a made tree of configurations, logs and source text,
// against gitleaks or trufflehog where one is installed, else `grep -rE` with the same names and forms, in one run:
//
//     bun scripts/bench/secrets.ts [--megabytes 400] [--directory DIR]
//
// The tree is the same for the same seed, and has secrets in known places, all of which have to be found.
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fastest, findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '400' },
    seed: { type: 'string', default: '7' },
    directory: { type: 'string', default: tmpdir() },
  },
})

const WANTED_MB_PER_SECOND = 100
const MAX_RSS_BYTES = 200_000_000
const FILE_BYTES = 256 * 1024
const PLANTED_EVERY = 40
const base = mkdtempSync(join(values.directory, 'reeve-bench-secrets-'))
const reeve = join(base, 'reeve')
const failures: string[] = []
try {
  await mustEnd([process.execPath, join(import.meta.dir, '../build.ts'), '--outfile', reeve], [0])
  const tree = join(base, 'tree')
  const { bytes, planted } = makeTree(tree, Number(values.megabytes) * 1e6)
  console.log(
    `${(bytes / 1e6).toFixed(0)} MB in files of ${FILE_BYTES / 1024} KiB, ${planted} secrets, warm cache`,
  )
  await mustEnd(['sh', '-c', 'find "$1" -type f -exec cat {} + | wc -c', 'sh', tree], [0])
  const scan = await fastest(3, () => scanAnew(tree, planted))
  show('reeve run, everything', scan, bytes)
  if (bytes / 1e6 / scan.cpuSeconds < WANTED_MB_PER_SECOND)
    failures.push(`${WANTED_MB_PER_SECOND} MB/s for each processor`)
  if (scan.rssBytes > MAX_RSS_BYTES) failures.push(`at most ${MAX_RSS_BYTES / 1e6} MB of memory`)
  show('reeve run, nothing has changed', await fastest(2, () => run(planted)), bytes)
  await yardstick(tree, bytes, scan)
} finally {
  Bun.spawnSync(['rm', '-rf', base])
}
for (const failure of failures) console.log(`not reached: ${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0

/** A first run: without a memory of files. */
function scanAnew(tree: string, planted: number): Promise<Measurement> {
  const state = join(base, 'state')
  Bun.spawnSync(['rm', '-rf', state])
  mkdirSync(state, { mode: 0o700 })
  const config = {
    files: [`${tree}/etc/**`],
    logs: [`${tree}/log/**`],
    logBytes: '1G',
    scheduled: [`${tree}/src/**`],
    units: [],
    environmentFiles: [],
    histories: [],
    credentialFiles: [],
    processes: false,
    exclude: [],
  }
  const job = { plugin: 'secret-scan', schedule: '@yearly', timeout: '1h', config }
  writeFileSync(join(base, 'reeve.yaml'), JSON.stringify({ stateDir: state, jobs: { secrets: job } }))
  chmodSync(join(base, 'reeve.yaml'), 0o600)
  return run(planted)
}

/** All that was planted has to be found, or the figures mean nothing. */
async function run(planted: number): Promise<Measurement> {
  const config = ['--config', join(base, 'reeve.yaml')]
  const measurement = await mustEnd([reeve, ...config, 'run', 'secrets'], [3])
  const { stdout } = Bun.spawnSync([reeve, ...config, 'findings', '--json'])
  const found = JSON.parse(stdout.toString()).filter(({ rule }: { rule: string }) =>
    rule.startsWith('secret-in-'),
  ).length
  if (found !== planted) throw new Error(`${found} of ${planted} secrets were found`)
  return measurement
}

async function yardstick(tree: string, bytes: number, ours: Measurement): Promise<void> {
  const gitleaks = findProgram('/usr/bin/gitleaks', '/usr/local/bin/gitleaks')
  const trufflehog = findProgram('/usr/bin/trufflehog', '/usr/local/bin/trufflehog')
  const pattern =
    '(pass(word|wd|phrase)?|token|secret|(api|private|access)[-_]?key)["\']?[ \\t]*[:=]|://[^/@ ]+:[^/@ ]+@|PRIVATE KEY|[Bb]earer |gh[pousr]_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}|xox[bpaor]-|sk_live_'
  const [name, argv, ok]: [string, string[], number[]] = gitleaks
    ? ['gitleaks dir', [gitleaks, 'dir', '--no-banner', '--exit-code', '0', tree], [0]]
    : trufflehog
      ? ['trufflehog filesystem', [trufflehog, 'filesystem', '--no-verification', '--no-update', tree], [0]]
      : ['grep -rEi, the same names and forms', ['grep', '-rEic', pattern, tree], [0]]
  const peer = await fastest(2, () => mustEnd(argv, ok))
  show(name, peer, bytes)
  console.log(`reeve takes ${(ours.seconds / peer.seconds).toFixed(2)} times as long as ${name}`)
}

function show(name: string, measurement: Measurement, bytes: number): void {
  const speed = bytes / 1e6 / measurement.seconds
  const perProcessor = bytes / 1e6 / measurement.cpuSeconds
  console.log(
    `${formatMeasurement(name, measurement)} ${speed.toFixed(0).padStart(6)} MB/s, ${perProcessor.toFixed(0)} MB for a second of processor`,
  )
}

async function mustEnd(argv: string[], ok: number[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode !== null && ok.includes(measurement.exitCode)) return measurement
  throw new Error(`"${argv.join(' ')}" ended with ${measurement.exitCode}: ${measurement.stderr}`)
}

/** Configurations, logs and source text in equal parts, from a generator of its own: the same for the same seed. */
function makeTree(tree: string, wanted: number): { bytes: number; planted: number } {
  let state = Number(values.seed) >>> 0
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
  const words =
    'server listen address timeout buffer connection retry worker cache index module handler request response value name user group path file line color width height time size count total level mode state host port node queue task event error status result start stop open close read write send receive token_count keyboard'.split(
      ' ',
    )
  const word = () => words[random(words.length)] ?? ''
  const kinds = {
    etc: () => `${word()}_${word()} = ${random(100_000)}\n`,
    log: () =>
      `2026-11-22T0${random(10)}:${10 + random(50)}:00Z host app[${random(65_536)}]: ${word()} ${word()} from 10.0.${random(256)}.${random(256)} took ${random(900)} ms, status=${random(600)}\n`,
    src: () =>
      `  const ${word()} = ${word()}(${word()}, ${random(1000)}) // ${word()} ${word()} the ${word()}\n`,
  }
  const secrets = {
    etc: (id: string) => `db_password = q0Zr81kdPl${id}\n`,
    log: (id: string) => `2026-11-22T00:00:00Z host app[1]: login with token=q0Zr81kdPl${id}\n`,
    src: (id: string) => `API_TOKEN="q0Zr81kdPl${id}"\n`,
  }
  let bytes = 0
  let planted = 0
  for (let number = 0; bytes < wanted; number++) {
    const kind = (['etc', 'log', 'src'] as const)[number % 3] ?? 'etc'
    const directory = join(tree, kind, `part-${Math.floor(number / 300)}`)
    mkdirSync(directory, { recursive: true })
    const isPlanted = number % PLANTED_EVERY < 3 && number > PLANTED_EVERY
    const lines: string[] = []
    for (let size = 0; size < FILE_BYTES; ) {
      const line = kinds[kind]()
      lines.push(line)
      size += line.length
    }
    if (isPlanted) {
      lines.splice(random(lines.length), 0, secrets[kind](String(number)))
      planted++
    }
    const text = lines.join('')
    writeFileSync(
      join(directory, `file-${number}.${kind === 'etc' ? 'conf' : kind === 'log' ? 'log' : 'sh'}`),
      text,
    )
    bytes += text.length
  }
  return { bytes, planted }
}
