import { expect, test } from 'bun:test'
import { readdirSync, rmSync } from 'node:fs'
import type { Report } from '../../../agent/contract/mod.ts'
import { isRoot } from '../../kit/ordinary-user.ts'
import { hostFixture } from './fixture.ts'

/** A program that checks a tree below a root directory and prints its report, or why it failed. */
const CHECK = `
  import { pluginUnderTest } from "${import.meta.dir}/../../kit/plugin.ts"
  import drift from "${import.meta.dir}/../../../plugins/permission-drift/plugin.ts"
  const [root, memory] = process.argv.slice(1)
  const plugin = pluginUnderTest(drift, { trees: [{ path: "/srv" }] }, { root, stateDir: "/state" })
  try {
    console.log(JSON.stringify(await plugin.check(JSON.parse(memory))))
  } catch (error) {
    console.log(JSON.stringify({ failed: error.message }))
  }`

/** Runs the check in a process of its own, after `before` in its shell. */
function checkAfter(
  before: string,
  root: string,
  memory: Report['memory'] = null,
): Report & { failed?: string } {
  const script = `${before}\nexec "$1" -e "$2" "$3" "$4"`
  const child = Bun.spawnSync([
    'unshare',
    ...(isRoot ? ['-m'] : []),
    'sh',
    '-ec',
    script,
    'sh',
    process.execPath,
    CHECK,
    root,
    JSON.stringify(memory),
  ])
  return JSON.parse(child.stdout.toString())
}

test('check() fails on a full disk, and leaves no half baseline', () => {
  using host = hostFixture()
  for (let index = 0; index < 200; index++) host.make(`/srv/${'long-name-'.repeat(20)}${index}`)
  // A limit on the size of files is a disk that is full for this process.
  expect(checkAfter('trap "" XFSZ; ulimit -f 8', host.root).failed).toContain('Cannot write')
  expect(readdirSync(`${host.root}/state`)).toEqual([])
  expect(checkAfter('', host.root)).toMatchObject({ findings: [], coverage: { examined: 201 } })
  expect(readdirSync(`${host.root}/state`)).toHaveLength(2)
})

const canMount = isRoot && Bun.spawnSync(['unshare', '-m', 'true']).exitCode === 0

test.skipIf(!canMount)('check() does not call gone what another file system is mounted on', () => {
  using host = hostFixture()
  for (const path of ['/srv/data/a', '/srv/data/deep/b', '/srv/z']) host.make(path)
  const first = checkAfter('', host.root)
  expect(first).toMatchObject({ findings: [], coverage: { examined: 6, skipped: 0 } })
  const mount = 'mount -t tmpfs none "$3/srv/data"; touch "$3/srv/data/x"'
  const report = checkAfter(mount, host.root, first.memory ?? null)
  // The directory that is seen there now is the mounted one.
  expect(report.findings.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual(['changed /srv/data'])
  expect(report).toMatchObject({ blind: [], coverage: { examined: 3, skipped: 1 } })
  expect(report.metrics?.find(({ name }) => name === 'unseen_entries')?.value).toBe(3)
})

/** The same check in a process that is killed after a while; true when it had ended by itself. */
async function checkUntil(ms: number, root: string): Promise<boolean> {
  const child = Bun.spawn([process.execPath, '-e', CHECK, root, 'null'], {
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  await child.exited
  clearTimeout(timer)
  return child.signalCode === null
}

test('check() killed at any moment leaves nothing that the next run does not understand', async () => {
  using host = hostFixture()
  for (let index = 0; index < 3000; index++) host.make(`/srv/${index % 20}/${index}`)
  const rounds = process.env.REEVE_LONG_TESTS ? 60 : 5
  let ended = 0
  for (let round = 0; round < rounds; round++) {
    if (await checkUntil(60 + (round * 400) / rounds, host.root)) ended++
    // Whatever was left: no half baseline is taken for one, and a whole one is good.
    const names = readdirSync(`${host.root}/state`)
    const report = checkAfter('', host.root)
    expect(report).toMatchObject({ findings: [], blind: [], coverage: { examined: 3021 } })
    expect(names.filter((name) => name.startsWith('baseline-')).length).toBeLessThan(2)
    for (const name of readdirSync(`${host.root}/state`)) rmSync(`${host.root}/state/${name}`)
  }
  expect(ended).toBeLessThan(rounds)
}, 60_000)
