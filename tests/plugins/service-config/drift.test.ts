import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { briefly, hostWith } from './host.ts'

const FILE = '/home/deploy/.rostr/config.yaml'
const at = (hour: number) => new Date(Date.UTC(2026, 5, 1, hour))

test('check opens a review for a configuration that was changed, and reminds when nobody looks', async () => {
  using host = hostWith({ [FILE]: 'backup_dir: a\n' }, { service: 'rostr' })
  expect((await host.check(at(0))).findings).toEqual([])
  expect((await host.check(at(1))).findings).toEqual([])
  host.write(FILE, 'backup_dir: b\n')
  const [opened] = (await host.check(at(2))).findings
  expect(opened).toMatchObject({
    rule: 'configuration-changed',
    subject: FILE,
    severity: 'info',
    evidence: { reminder: 'due' },
  })
  // It was first seen then, whatever comes after it.
  host.write(FILE, 'backup_dir: c\n')
  const [overdue] = (await host.check(at(27))).findings
  expect(overdue).toMatchObject({
    severity: 'warning',
    evidence: { reminder: 'overdue', changedAt: at(2).toISOString() },
  })
  expect(overdue?.summary).toContain('for 1d 1h')

  expect(await host.command([FILE], at(28))).toMatchObject({ exitCode: 0, json: { reviewed: [FILE] } })
  expect((await host.check(at(29))).findings).toEqual([])
})

test('check takes a change back when the file is as it was', async () => {
  using host = hostWith({ [FILE]: 'a: 1\n' }, { service: 'rostr' })
  await host.check(at(0))
  host.write(FILE, 'a: 2\n')
  expect(briefly((await host.check(at(1))).findings)).toEqual(['configuration-changed -'])
  host.write(FILE, 'a: 1\n')
  expect((await host.check(at(2))).findings).toEqual([])
})

test('check tells of files that come and go', async () => {
  using host = hostWith({ [FILE]: 'a: 1\n' }, { service: 'rostr' })
  await host.check(at(0))
  host.write('/home/deploy/.config/rostr/env', 'ROSTR_ALLOWED_GROUPS=a\n')
  const [added] = (await host.check(at(1))).findings
  expect(added).toMatchObject({ subject: '/home/deploy/.config/rostr/env' })
  expect(await host.command([], at(2))).toMatchObject({ exitCode: 0 })
  expect((await host.check(at(3))).findings).toEqual([])
  Bun.spawnSync(['rm', `${host.root}/home/deploy/.config/rostr/env`])
  const [gone] = (await host.check(at(4))).findings
  expect(gone?.summary).toContain('is gone')
})

test('reviewed refuses a file that was not changed', async () => {
  using host = hostWith({ [FILE]: 'a: 1\n' }, { service: 'rostr' })
  await host.check(at(0))
  expect(host.command(['/etc/passwd'], at(1))).rejects.toThrow('no changed file')
})

test('check is blind where what was looked over cannot be read, until somebody begins anew', async () => {
  using host = hostWith({ [FILE]: 'a: 1\n' }, { service: 'rostr' })
  await host.check(at(0))
  writeFileSync(`${host.root}/state/reviewed.json`, '{"broken')
  const { blind } = await host.check(at(1))
  expect(blind).toMatchObject([{ rules: ['configuration-changed'] }])
  await host.command([], at(2))
  expect((await host.check(at(3))).blind).toEqual([])
})

test('reviewed takes every file that a check reads, those that others name too', async () => {
  const hash = 'ab12'.repeat(16)
  using host = hostWith(
    {
      '/etc/rstmdb/config.yaml': 'auth: {required: true, secrets_file: /etc/rstmdb/tokens}\n',
      '/etc/rstmdb/tokens': `${hash}\n`,
    },
    { service: 'rstmdb', units: [], compose: [] },
  )
  expect((await host.check(at(0))).findings).toEqual([])
  host.write('/etc/rstmdb/tokens', `# again\n${hash}\n`)
  expect((await host.check(at(1))).findings).toMatchObject([{ subject: '/etc/rstmdb/tokens' }])
  expect(await host.command([], at(2))).toMatchObject({ json: { reviewed: ['/etc/rstmdb/tokens'] } })
  expect((await host.check(at(3))).findings).toEqual([])
})
