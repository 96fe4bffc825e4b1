// permission-drift by the compiled binary, a jailed `reeve run`, against AIDE and find on the same tree in one
// run, warm cache:
//
//     bun scripts/bench/drift.ts [--entries 300000]      permissions of a made tree: AIDE p+u+g, find -printf
//     bun scripts/bench/drift.ts --contents /usr         SHA-256 of a tree that is there, then the unchanged re-check
//     bun scripts/bench/drift.ts --memory                peak memory at 1,000,000 entries; --memory --entries 3000000
//
// --without-aide leaves AIDE out, --directory DIR makes the tree below DIR, --low leaves the run at the priority
// of any other job instead of idle, for a machine that is busy.
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fastest, findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    entries: { type: 'string' },
    contents: { type: 'string' },
    memory: { type: 'boolean', default: false },
    low: { type: 'boolean', default: false },
    'without-aide': { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
})

const CONTENTS = ['mode', 'owner', 'group', 'size', 'content', 'target']
const MAX_RSS_BYTES = 150_000_000
const base = mkdtempSync(join(values.directory, 'reeve-bench-drift-'))
const reeve = join(base, 'reeve')
const failures: string[] = []
try {
  await mustEnd([process.execPath, join(import.meta.dir, '../build.ts'), '--outfile', reeve])
  if (values.contents !== undefined) await contents(values.contents)
  else if (values.memory) await memory(Number(values.entries ?? 1_000_000))
  else await permissions(Number(values.entries ?? 300_000))
} finally {
  Bun.spawnSync(['rm', '-rf', base]) // rmSync takes minutes for a million entries
}
for (const failure of failures) console.log(`not reached: ${failure}`)
process.exitCode = failures.length > 0 ? 1 : 0

async function permissions(entries: number): Promise<void> {
  const tree = join(base, 'tree')
  makeTree(tree, entries)
  console.log(`${entries} entries, permissions, fastest of several, warm cache`)
  const job = configure('permissions', tree, ['mode', 'owner', 'group'])
  show('reeve run, makes the baseline', await job())
  const check = await fastest(3, job)
  show('reeve run, compares with it', check)
  // It has to find one change among all, or the figures mean nothing.
  const changed = join(tree, 'package-0')
  chmodSync(changed, 0o700)
  await mustFind(job)
  chmodSync(changed, 0o755)
  const find = await fastest(2, () => mustEnd(['find', tree, '-printf', '%m %u %g %p\\n']))
  ratio("find -printf '%m %u %g %p'", find, check, 1)
  const aide = await aideOf(tree, 'p+u+g')
  if (aide) ratio('aide --check, p+u+g', await fastest(2, aide), check, 10)
}

async function contents(tree: string): Promise<void> {
  console.log(`${tree}, SHA-256, warm cache`)
  // What a scan of this size leaves in the cache is what the next one finds there.
  await mustEnd(['sh', '-c', `find "$1" -xdev -type f -exec cat {} + | wc -c`, 'sh', tree])
  const job = configure('contents', tree, CONTENTS)
  const first = await job()
  show('reeve run, hashes everything', first)
  const check = await fastest(3, job)
  show('reeve run, unchanged re-check', check)
  const aide = await aideOf(tree, 'p+u+g+s+sha256')
  if (!aide) return
  const yardstick = await aide()
  ratio('aide --check, sha256', yardstick, first, 5)
  ratio('the same, against the re-check', yardstick, check, 40)
}

async function memory(entries: number): Promise<void> {
  const tree = join(base, 'tree')
  makeTree(tree, entries, true)
  console.log(`${entries} entries, peak memory`)
  const job = configure('memory', tree, CONTENTS)
  for (const what of ['makes the baseline', 'compares with it']) {
    const measurement = await job()
    show(`reeve run, ${what}`, measurement)
    if (measurement.rssBytes > MAX_RSS_BYTES)
      failures.push(`at most ${MAX_RSS_BYTES / 1e6} MB when it ${what}`)
  }
}

/** A job with one tree; a function that runs it. */
function configure(name: string, tree: string, attributes: string[]): () => Promise<Measurement> {
  const config = join(base, `${name}.yaml`)
  const state = join(base, `state-${name}`)
  mkdirSync(state, { mode: 0o700 })
  const pace = { maxMemoryPressure: 100, maxIoPressure: 100, priority: values.low ? 'low' : 'idle' }
  const job = {
    plugin: 'permission-drift',
    schedule: '@yearly',
    timeout: '2h',
    config: { pace, trees: [{ path: tree, attributes, exclude: [base] }] },
  }
  if (tree.startsWith(base)) job.config.trees[0]?.exclude.pop()
  writeFileSync(config, JSON.stringify({ stateDir: state, jobs: { drift: job } }))
  chmodSync(config, 0o600)
  return () => mustEnd([reeve, '--config', config, 'run', 'drift'])
}

async function aideOf(tree: string, attributes: string): Promise<(() => Promise<Measurement>) | undefined> {
  const aide = values['without-aide'] ? undefined : findProgram('/usr/bin/aide', '/usr/sbin/aide')
  if (!aide) {
    console.log('without AIDE: no yardstick (apt-get install aide)')
    return undefined
  }
  const config = join(base, 'aide.conf')
  const database = join(base, 'aide.db')
  writeFileSync(
    config,
    `database_in=file:${database}\ndatabase_out=file:${database}.new\ngzip_dbout=no\n` +
      `report_url=file:${base}/aide.report\n${tree} ${attributes}\n`,
  )
  await mustEnd([aide, '--config', config, '--init'])
  renameSync(`${database}.new`, database)
  return () => mustEnd([aide, '--config', config, '--check'])
}

function show(name: string, measurement: Measurement): void {
  console.log(formatMeasurement(name, measurement))
}

function ratio(name: string, yardstick: Measurement, ours: Measurement, wanted: number): void {
  const times = yardstick.seconds / ours.seconds
  console.log(
    `${formatMeasurement(name, yardstick)} reeve is ${times.toFixed(1)} times as fast (wanted: ${wanted})`,
  )
  if (times < wanted) failures.push(`${wanted} times as fast as ${name}`)
}

/** Measures a program that has to find nothing wrong. */
async function mustEnd(argv: string[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode === 0) return measurement
  throw new Error(`"${argv.join(' ')}" ended with ${measurement.exitCode}: ${measurement.stderr}`)
}

async function mustFind(run: () => Promise<Measurement>): Promise<void> {
  const outcome = await run().catch(String)
  if (!String(outcome).includes('ended with 3'))
    throw new Error(`the changed tree was not noticed: ${outcome}`)
}

/**
 * Directories of 24 files in 20 directories in as many packages as it takes, like what package managers make.
 * Linked ones are names of one file for each directory.
 */
function makeTree(tree: string, count: number, linked = false): void {
  mkdirSync(tree)
  let made = 1
  let first = ''
  for (let number = 0; made < count; number++) {
    const module = Math.floor(number / 25)
    const directory = join(tree, `package-${Math.floor(module / 20)}`, `module-${module % 20}`)
    const file = join(directory, `some-file-${number % 25}.txt`)
    if (number % 25 === 0) {
      mkdirSync(directory, { recursive: true })
      made += module % 20 === 0 ? 2 : 1
      continue
    }
    if (linked && number % 25 > 1) linkSync(first, file)
    else closeSync(openSync(file, 'w', 0o644))
    if (number % 25 === 1) first = file
    made++
  }
}
