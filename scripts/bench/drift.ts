// Permission check of a tree against its baseline by the compiled binary, a jailed `reeve run`, against AIDE
// (p+u+g) and `find -printf` on the same tree in one run, warm cache:
//
//     bun scripts/bench/drift.ts [--entries 300000] [--without-aide] [--directory DIR]
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fastest, findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '300000' },
    'without-aide': { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
})

const entries = Number(values.entries)
const base = mkdtempSync(join(values.directory, 'reeve-bench-drift-'))
try {
  const reeve = join(base, 'reeve')
  await mustEnd([process.execPath, join(import.meta.dir, '../build.ts'), '--outfile', reeve])
  const tree = join(base, 'tree')
  makeTree(tree, entries)
  console.log(`${entries} entries, fastest of several, warm cache`)
  const ours = await measureReeve(reeve, tree)
  const find = await fastest(2, () => mustEnd(['find', tree, '-printf', '%m %u %g %p\\n']))
  console.log(formatMeasurement("find -printf '%m %u %g %p'", find), against(find, ours))
  if (!values['without-aide']) await measureAide(tree, ours)
} finally {
  Bun.spawnSync(['rm', '-rf', base]) // rmSync takes minutes for a million entries
}

async function measureReeve(reeve: string, tree: string): Promise<Measurement> {
  const config = join(base, 'reeve.yaml')
  const state = join(base, 'state')
  mkdirSync(state, { mode: 0o700 })
  const job = { plugin: 'permission-drift', schedule: '@yearly', config: { trees: [{ path: tree }] } }
  writeFileSync(config, JSON.stringify({ stateDir: state, jobs: { drift: job } }))
  chmodSync(config, 0o600)
  const run = () => mustEnd([reeve, '--config', config, 'run', 'drift'])
  const first = await run()
  const check = await fastest(3, run)
  console.log(formatMeasurement('reeve run, makes the baseline', first))
  console.log(formatMeasurement('reeve run, compares with it', check))
  // It has to find one change among all, or the figures mean nothing.
  chmodSync(join(tree, 'package-0'), 0o700)
  const changed = await measure([reeve, '--config', config, 'run', 'drift'])
  if (changed.exitCode !== 3)
    throw new Error(`the changed tree was not noticed: exit code ${changed.exitCode}`)
  chmodSync(join(tree, 'package-0'), 0o755)
  return check
}

async function measureAide(tree: string, ours: Measurement): Promise<void> {
  const aide = findProgram('/usr/bin/aide', '/usr/sbin/aide')
  if (!aide) return console.log('AIDE is not installed (apt-get install aide): no yardstick')
  const config = join(base, 'aide.conf')
  const database = join(base, 'aide.db')
  writeFileSync(
    config,
    `database_in=file:${database}\ndatabase_out=file:${database}.new\ngzip_dbout=no\n` +
      `report_url=file:${base}/aide.report\n${tree} p+u+g\n`,
  )
  await mustEnd([aide, '--config', config, '--init'])
  renameSync(`${database}.new`, database)
  for (const workers of ['1', '2']) {
    const check = await fastest(2, () => mustEnd([aide, '--config', config, '--workers', workers, '--check']))
    console.log(formatMeasurement(`aide --check, p+u+g, ${workers} workers`, check), against(check, ours))
  }
}

function against(yardstick: Measurement, ours: Measurement): string {
  return ` reeve is ${(yardstick.seconds / ours.seconds).toFixed(1)} times as fast`
}

/** Measures a program that has to find nothing wrong. */
async function mustEnd(argv: string[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode === 0) return measurement
  throw new Error(`"${argv.join(' ')}" ended with ${measurement.exitCode}: ${measurement.stderr}`)
}

/** Directories of 24 files in 20 directories in as many packages as it takes, like what package managers make. */
function makeTree(tree: string, count: number): void {
  mkdirSync(tree)
  let made = 1
  for (let number = 0; made < count; number++) {
    const module = Math.floor(number / 25)
    const directory = join(tree, `package-${Math.floor(module / 20)}`, `module-${module % 20}`)
    if (number % 25 === 0) {
      mkdirSync(directory, { recursive: true })
      made += module % 20 === 0 ? 2 : 1
    } else {
      closeSync(openSync(join(directory, `some-file-${number % 25}.txt`), 'w', 0o644))
      made++
    }
  }
}
