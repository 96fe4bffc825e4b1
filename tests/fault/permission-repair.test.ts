import { expect, test } from 'bun:test'
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRoot } from '../kit/ordinary-user.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { type ConfigInput, hostFixture } from '../plugins/permission-drift/fixture.ts'

/** Rounds of check and repair against somebody who swaps entries; thousands where it is looked at closely. */
const ROUNDS = Number(process.env.REEVE_REPAIR_ROUNDS ?? 200)
const KILLS = Number(process.env.REEVE_REPAIR_KILLS ?? 3)
const SEED = Number(process.env.REEVE_REPAIR_SEED ?? 20_261_122)

const AT = '2027-01-02T03:04:05.678Z'

test.skipIf(!isRoot)(
  `nothing outside of the policy is touched while entries are swapped (seed ${SEED})`,
  async () => {
    using host = hostFixture()
    using outside = temporaryDirectory()
    const victims = outside.path
    const box = `${host.root}/srv/box`
    mkdirSync(box, { recursive: true })
    chmodSync(box, 0o777)
    chownSync(box, 4711, 4711)
    mkdirSync(`${victims}/directory`)
    for (const name of ['file', 'program', 'directory/a', 'directory/b', 'directory/c']) {
      writeFileSync(`${victims}/${name}`, 'x')
      chownSync(`${victims}/${name}`, 4712, 4712)
      chmodSync(`${victims}/${name}`, name === 'program' ? 0o6755 : 0o666)
    }
    chmodSync(`${victims}/directory`, 0o777)
    const look = () =>
      readdirSync(victims, { recursive: true })
        .map(String)
        .toSorted()
        .map((name) => {
          const { mode, uid, gid } = lstatSync(join(victims, name))
          return `${name} ${mode.toString(8)} ${uid}:${gid}`
        })
    const before = look()
    const config: ConfigInput = {
      rules: [{ path: '/srv/box/*', owner: 'root', group: 'root', mode: { exact: '0640', mayWiden: true } }],
    }
    const swapper = Bun.spawn(
      [process.execPath, join(import.meta.dir, 'permission-swapper-child.ts'), box, victims, String(SEED)],
      { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' },
    )
    const output = swapper.stdout.getReader()
    await output.read()
    let repaired = 0
    let refused = 0
    for (let round = 0; round < ROUNDS; round++) {
      host.wait(7_200_000)
      const { findings } = await host.check(config)
      const report = await host.apply(config, findings)
      repaired += report.metrics?.find(({ name }) => name === 'repaired_entries')?.value ?? 0
      refused += report.findings.length
      if (round % 50 === 0) expect(look()).toEqual(before)
    }
    await swapper.stdin.end()
    await swapper.exited
    const swaps = Number(new TextDecoder().decode((await output.read()).value))
    expect(look()).toEqual(before)
    // It was a race: both sides got through, and some repairs came too late.
    expect(swaps).toBeGreaterThan(ROUNDS)
    expect(repaired).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
  },
  300_000,
)

/** Starts a repair or an undo in a process of its own, and kills it when an entry has got a mode. */
async function killWhen(root: string, verb: 'apply' | 'undo', name: string, mode: number): Promise<void> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'permission-repair-child.ts'), root, verb, AT],
    { stdout: 'pipe', stderr: 'inherit' },
  )
  const deadline = Date.now() + 30_000
  while ((lstatSync(`${root}/srv/${name}`).mode & 0o777) !== mode) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${verb} came to no end`)
    await Bun.sleep(0)
  }
  child.kill('SIGKILL')
  await child.exited
}

test('after a kill in the middle of a repair or of an undo, the next run tells how far it had come', async () => {
  const config: ConfigInput = { rules: [{ path: '/srv/*', mode: { atMost: '0600' } }], maxFindings: 2000 }
  const names = Array.from({ length: 1000 }, (_, index) => `f${String(index).padStart(4, '0')}`)
  let cut = 0
  for (let round = 0; round < KILLS; round++) {
    using host = hostFixture()
    for (const name of names) host.make(`/srv/${name}`, 0o644)
    const count = (mode: number) =>
      names.filter((name) => (lstatSync(`${host.root}/srv/${name}`).mode & 0o777) === mode).length
    const isOpen = () => {
      const files = readdirSync(`${host.root}/state`)
      return files.some(
        (name) => name.endsWith('.jsonl') && !files.includes(name.replace('jsonl', 'outcome.json')),
      )
    }
    const victim = names[Math.floor((round * names.length) / KILLS)] ?? ''
    await killWhen(host.root, 'apply', victim, 0o600)
    // Each is as it was or as it was to be, and nothing in between.
    const repaired = count(0o600)
    expect(repaired + count(0o644)).toBe(names.length)
    const wasOpen = isOpen()
    if (wasOpen) cut++
    const { findings } = await host.check(config)
    const told = findings.filter(({ rule }) => rule === 'repair-interrupted')
    expect(told.map(({ evidence }) => evidence?.done)).toEqual(wasOpen ? [repaired] : [])
    expect(findings.filter(({ rule }) => rule === 'mode-differs')).toHaveLength(count(0o644))

    // The undo goes backwards.
    await killWhen(host.root, 'undo', names[Math.floor(repaired / 2)] ?? '', 0o644)
    expect(count(0o600) + count(0o644)).toBe(names.length)
    if (isOpen()) {
      cut++
      const again = await host.check(config)
      expect(again.findings.some(({ rule }) => rule === 'repair-interrupted')).toBe(true)
    }
    // Once more, and all is as it was before the first.
    await host.command(config, 'undo', { values: { at: AT } })
    expect(count(0o644)).toBe(names.length)
  }
  expect(cut).toBeGreaterThan(0)
}, 300_000)
