import { expect, test } from 'bun:test'
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { waitUntil } from '../kit/wait.ts'
import { type Daemon, Workspace } from '../kit/workspace.ts'

const findingList = z.object({
  items: z.array(z.object({ rule: z.string(), subject: z.string(), state: z.string() })),
})
const jobStatus = z.object({
  watch: z.object({ state: z.string(), directories: z.number(), reason: z.string().nullable() }).nullish(),
  runs: z.array(z.object({ trigger: z.string(), outcome: z.string() })),
})

const openFindings = async (daemon: Daemon) =>
  (await daemon.ask('/v1/findings?state=open&job=modes', findingList)).items.map(
    ({ rule, subject }) => `${rule} ${subject}`,
  )

/** Milliseconds from a change until the open findings are these. */
async function until(daemon: Daemon, wanted: string[], act: () => void): Promise<number> {
  const began = performance.now()
  act()
  await waitUntil(`open findings ${JSON.stringify(wanted)}`, 20_000, async () =>
    Bun.deepEquals((await openFindings(daemon)).toSorted(), wanted.toSorted()),
  )
  return performance.now() - began
}

function job(host: Workspace, more: Record<string, unknown> = {}) {
  return {
    plugin: 'permission-drift',
    schedule: 'manual',
    watch: true,
    config: { rules: [{ path: `${host.path}/srv/**`, mode: { atMost: '0640' } }] },
    ...more,
  }
}

test('a change is a finding within two seconds, without a schedule, also of a file that is replaced', async () => {
  await using host = new Workspace()
  const file = host.write('srv/a', 'x', 0o640)
  host.write('srv/deep/b', 'x', 0o640)
  host.configure({ jobs: { modes: job(host) } })
  const daemon = await host.daemon()
  await daemon.logged('watching')
  const { watch } = await daemon.ask('/v1/jobs/modes', jobStatus)
  expect(watch).toMatchObject({ state: 'watching', reason: null })

  const told = `mode-differs ${file}`
  const times = [await until(daemon, [told], () => chmodSync(file, 0o666))]
  // The next may be told when the first was five seconds ago.
  await until(daemon, [`mode-differs ${host.path}/srv/deep/b`], () => {
    writeFileSync(`${host.path}/srv/.new`, 'y', { mode: 0o600 })
    renameSync(`${host.path}/srv/.new`, file)
    chmodSync(`${host.path}/srv/deep/b`, 0o777)
  })
  const { runs } = await daemon.ask('/v1/jobs/modes', jobStatus)
  expect(new Set(runs.map(({ trigger }) => trigger))).toEqual(new Set(['watch']))
  expect(Math.min(...times)).toBeLessThan(2000)
  expect(daemon.log).not.toContain('"level":"error"')
}, 60_000)

test('a reload watches what the new configuration names, and stops with it', async () => {
  await using host = new Workspace()
  const file = host.write('srv/a', 'x', 0o640)
  host.configure({ jobs: { modes: job(host, { watch: false }) } })
  const daemon = await host.daemon()
  expect((await daemon.ask('/v1/jobs/modes', jobStatus)).watch).toBeNull()
  host.configure({ jobs: { modes: job(host) } })
  daemon.signal('SIGHUP')
  await daemon.logged('watching')
  await until(daemon, [`mode-differs ${file}`], () => chmodSync(file, 0o666))
}, 60_000)

test('where systemd timers start the jobs, status and a finding say that nothing is watched', async () => {
  await using host = new Workspace()
  host.write('srv/a', 'x', 0o640)
  host.configure({ jobs: { modes: job(host) } })
  const daemon = await host.daemon({ args: ['--no-schedule'] })
  await waitUntil('the finding', 10_000, async () =>
    (await openFindings(daemon)).includes('watch-incomplete job modes'),
  )
  const { watch } = await daemon.ask('/v1/jobs/modes', jobStatus)
  expect(watch).toMatchObject({ state: 'off', reason: 'systemd timers start the jobs, not the daemon' })
}, 60_000)

test('a plugin that does not say what to watch refuses the setting', async () => {
  await using host = new Workspace()
  host.configure({
    jobs: { age: { plugin: 'command', watch: true, config: { argv: ['/bin/true'] } } },
  })
  const { exitCode, stdout, stderr } = await host.reeve(['config', 'check'])
  expect(exitCode).toBe(2)
  expect(stdout + stderr).toContain('jobs.age.watch')
  expect(stdout + stderr).toContain('this plugin does not say which paths could be watched')
})
