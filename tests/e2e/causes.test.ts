import { expect, test } from 'bun:test'
import { appendFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { Workspace } from '../kit/workspace.ts'

const findings = z.array(z.object({ rule: z.string(), subject: z.string() }))

test('what a rotation of this reeve changes raises nothing, and what is planted beside it does', async () => {
  await using host = new Workspace()
  const log = host.write('log/app.log', 'line\n'.repeat(1000), 0o640)
  host.configure({
    jobs: {
      logs: {
        plugin: 'log-rotation',
        mode: 'enforce',
        schedule: 'manual',
        config: { sets: [{ name: 'app', paths: [`${host.path}/log/*.log`], size: '1K', keep: 1 }] },
      },
      drift: {
        plugin: 'permission-drift',
        schedule: 'manual',
        config: {
          trees: [{ path: `${host.path}/log`, attributes: ['mode', 'owner', 'size', 'content', 'inode'] }],
        },
      },
    },
  })
  expect((await host.run('drift')).outcome).toBe('clean')
  expect((await host.run('logs')).outcome).toBe('clean')
  expect((await host.run('drift')).outcome).toBe('clean')
  // What is written meanwhile is rotated, too, and the oldest generation goes.
  appendFileSync(log, 'line\n'.repeat(1000))
  await host.run('logs')
  // Later than the last tick of the clock by which files tell that they are of the run.
  await Bun.sleep(100)
  writeFileSync(`${host.path}/log/app.log.evil`, 'x')
  writeFileSync(`${host.path}/log/other`, 'x')
  expect((await host.run('drift')).outcome).toBe('findings')
  const { stdout } = await host.reeve(['findings', '--job', 'drift', '--json'])
  const told = findings.parse(JSON.parse(stdout)).map(({ rule, subject }) => `${rule} ${subject}`)
  expect(told.toSorted()).toEqual([`new ${host.path}/log/app.log.evil`, `new ${host.path}/log/other`])
  const history = await host.reeve(['baseline', 'history', '--job', 'drift'])
  expect(history.stdout).toContain('by reeve: logs (log-rotation), run')
}, 60_000)
