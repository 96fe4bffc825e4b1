import { expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, renameSync } from 'node:fs'
import { BackupFixture, DAY_MS, onDisk } from '../fixture.ts'

setDefaultTimeout(60_000)
const backupsIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.gpg'))
    .sort()

/** Four backups, of which a later retention keeps fewer. */
async function fourBackups() {
  const fixture = new BackupFixture({ retention: { keepLast: 10 } })
  fixture.write('a', 'a')
  for (let day = 0; day < 4; day++) {
    await fixture.enforce()
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  }
  return fixture
}

/** The same job with another retention. */
function withRetention(fixture: BackupFixture, retention: object) {
  Object.assign(fixture, { config: { retention } })
}

test('prune --dry-run says what would go and why the rest stays, and removes nothing', async () => {
  using fixture = await fourBackups()
  withRetention(fixture, { keepLast: 1, daily: 2 })
  const before = backupsIn(fixture.destination)
  const { text, json, exitCode } = await fixture.command('prune', { values: { 'dry-run': true } })
  expect(exitCode).toBe(0)
  expect(json).toMatchObject({ destinations: [{ removed: before.slice(0, 2) }] })
  expect(text).toContain(`(last, daily)`)
  expect(backupsIn(fixture.destination)).toEqual(before)
  await fixture.command('prune')
  expect(backupsIn(fixture.destination)).toEqual(before.slice(2))
  expect((await fixture.check()).findings.filter(({ rule }) => rule === 'backup-missing')).toEqual([])
})

test('prune never breaks a chain in its middle', async () => {
  using fixture = new BackupFixture({ incremental: { maxChain: 2 }, retention: { keepLast: 10 } })
  for (let day = 0; day < 5; day++) {
    fixture.write('a', `day ${day}`)
    await fixture.enforce()
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  }
  Object.assign(fixture, { config: { incremental: { maxChain: 2 }, retention: { keepLast: 1 } } })
  const before = backupsIn(fixture.destination)
  await fixture.command('prune')
  // The last one is number 1 of the second chain: the full one of it stays, all of the first goes.
  expect(backupsIn(fixture.destination)).toEqual(before.slice(3))
  const to = fixture.makeDirectory('to')
  expect((await fixture.command('restore', { values: { to } })).exitCode).toBe(0)
})

test('prune tells of a destination that is not there, and prunes the others', async () => {
  using fixture = await fourBackups()
  const gone = fixture.makeDirectory('gone')
  Object.assign(fixture, {
    config: {
      retention: { keepLast: 1 },
      destinations: [onDisk(fixture.destination), onDisk(gone, 'other')],
    },
  })
  renameSync(gone, `${gone}-away`)
  const { exitCode, text } = await fixture.command('prune')
  expect(exitCode).toBe(4)
  expect(text).toContain('no such directory')
  expect(backupsIn(fixture.destination).length).toBe(1)
})

test('prune removes nothing while the clock jumps', async () => {
  using fixture = await fourBackups()
  fixture.now = new Date(fixture.now.getTime() + 730 * DAY_MS)
  await fixture.enforce()
  withRetention(fixture, { keepLast: 1 })
  const { json } = await fixture.command('prune')
  expect(json).toMatchObject({ destinations: [{ removed: [], held: expect.stringContaining('went on') }] })
  expect(backupsIn(fixture.destination).length).toBe(5)
})
