/**
 * Permission check of a tree against its baseline, ours against AIDE (p+u+g) and `find -printf`, warm cache,
 * all in one run.
 *
 *     bun scripts/bench/drift.ts [--entries 300000] [--directory DIR]
 */
import { createHmac } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Json } from '../../agent/contract/mod.ts'
import { toGrants } from '../../agent/host/grants.ts'
import { LocalHostReader } from '../../agent/host/reader.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import drift from '../../plugins/permission-drift/plugin.ts'
import { fastest, findProgram, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '300000' },
    directory: { type: 'string', default: tmpdir() },
    /** One check in this process: what the bench starts and measures. */
    check: { type: 'string' },
    state: { type: 'string', default: '' },
  },
})

if (values.check) await checkOnce(values.check, values.state)
else await bench(Number(values.entries), values.directory)

async function bench(entries: number, directory: string): Promise<void> {
  const base = mkdtempSync(join(directory, 'reeve-bench-drift-'))
  try {
    const tree = join(base, 'tree')
    const state = join(base, 'state')
    mkdirSync(state)
    makeTree(tree, entries)
    const ours = () =>
      measure([process.execPath, import.meta.path, '--check', tree, '--state', state], { stdout: 'pipe' })
    const first = await ours()
    const check = await fastest(3, ours)
    console.log(`${entries} entries, fastest of several, warm cache`)
    console.log(formatMeasurement('reeve, first run (makes baseline)', first))
    console.log(formatMeasurement('reeve, check', check), check.stdout.trim())
    const find = await fastest(2, () => measure(['find', tree, '-printf', '%m %u %g %p\\n']))
    console.log(formatMeasurement("find -printf '%m %u %g %p'", find))
    console.log(`  ${(find.seconds / check.seconds).toFixed(1)} × faster than find`)
    await compareWithAide(base, tree, check)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function compareWithAide(base: string, tree: string, ours: Measurement): Promise<void> {
  const aide = findProgram('/usr/bin/aide', '/usr/sbin/aide')
  if (!aide) return console.log('AIDE is not installed (apt-get install aide): no yardstick')
  const config = join(base, 'aide.conf')
  const database = join(base, 'aide.db')
  writeFileSync(
    config,
    `database_in=file:${database}\ndatabase_out=file:${database}.new\ngzip_dbout=no\n` +
      `report_url=file:${base}/aide.report\n${tree} p+u+g\n`,
  )
  await measure([aide, '--config', config, '--init'])
  renameSync(`${database}.new`, database)
  for (const workers of ['1', '2']) {
    const check = await fastest(2, () => measure([aide, '--config', config, '--workers', workers, '--check']))
    if (check.exitCode !== 0) return console.log(`AIDE ended with ${check.exitCode}: no yardstick`)
    console.log(formatMeasurement(`AIDE p+u+g, check, ${workers} workers`, check))
    console.log(`  ${(check.seconds / ours.seconds).toFixed(1)} × faster than AIDE`)
  }
}

/** Directories of 24 files in 20 directories in as many packages as it takes, like what package managers make. */
function makeTree(tree: string, entries: number): void {
  mkdirSync(tree)
  let made = 0
  for (let number = 0; made < entries; number++) {
    const depth = number % 25
    const module = Math.floor(number / 25)
    const directory = join(tree, `package-${Math.floor(module / 20)}`, `module-${module % 20}`)
    if (depth === 0) {
      mkdirSync(directory, { recursive: true })
      made += module % 20 === 0 ? 2 : 1
    } else {
      closeSync(openSync(join(directory, `some-file-${depth}.txt`), 'w', 0o644))
      made++
    }
  }
}

/** The plugin's check, by the real host layer with no more than the permissions that it asks for. */
async function checkOnce(tree: string, state: string): Promise<void> {
  const config = drift.config.parse({ trees: [{ path: tree }] })
  const same = (path: string) => [path]
  const host = new LocalHostReader('/', toGrants(drift.permissions(config).check, state, same))
  const memoryFile = Bun.file(join(state, 'memory.json'))
  const memory: Json | undefined = (await memoryFile.exists()) ? await memoryFile.json() : undefined
  const report = await drift.check({
    config,
    host,
    job: 'bench',
    now: new Date(),
    signal: new AbortController().signal,
    log: { info: () => {}, warn: () => {} },
    stateDir: state,
    memory,
    secret: () => '',
    fingerprint: (value) => createHmac('sha256', 'bench').update(value).digest('hex').slice(0, 32),
    progress: () => {},
    state: new LocalHostWriter('/', toGrants({}, state, same)),
  })
  if (report.findings.length > 0 || report.blind?.length)
    throw new Error(JSON.stringify(report).slice(0, 2000))
  writeFileSync(join(state, 'memory.json'), JSON.stringify(report.memory))
  console.log(`(${report.coverage?.examined} examined)`)
}
