import { expect, test } from 'bun:test'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../../agent/host/writer.ts'
import { RemovalRefusedError } from '../../../../plugins/backup/destination/destination.ts'
import { DirectoryDestination } from '../../../../plugins/backup/destination/directory.ts'
import {
  DestinationLock,
  type Holder,
  judgeHolder,
  selfAsHolder,
} from '../../../../plugins/backup/destination/lock.ts'
import { isRunning } from '../../../../plugins/backup/process.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { BackupFixture, DAY_MS, rulesOf } from '../fixture.ts'

const OWNER = '0123456789abcdef'
const host = new LocalHostWriter('/', ALL_GRANTS)
const self = selfAsHolder(host, new Date())
const other: Holder = { ...self, host: 'clone', machine: 'f'.repeat(16), pid: 4711 }

function place(path: string) {
  return new DirectoryDestination(host, path, OWNER)
}

function take(
  path: string,
  changes: Partial<Holder> = {},
  times: { silenceMs?: number; beatMs?: number } = {},
) {
  return DestinationLock.take(place(path), {
    owner: OWNER,
    self: { ...self, ...changes },
    isRunning: (pid) => isRunning(host, pid),
    signal: new AbortController().signal,
    silenceMs: 100,
    ...times,
  })
}

test.each<[string, Partial<Holder>, boolean, 'dead' | 'alive' | 'unknown']>([
  ['released', { isReleased: true }, true, 'dead'],
  ['of an earlier boot of this machine', { boot: 'before' }, true, 'dead'],
  ['of a process of this machine that is gone', { pid: 4711 }, false, 'dead'],
  ['of a process of this machine that runs', { pid: 4711 }, true, 'unknown'],
  ['of this process', {}, true, 'dead'],
  ['of another machine', { machine: 'x' }, false, 'unknown'],
])('judgeHolder() of a lock that is %s', (_what, changes, running, verdict) => {
  expect(judgeHolder({ ...self, ...changes }, self, () => running)).toBe(verdict)
})

test('isRunning() of this process, of one that has ended, and of none', () => {
  expect(isRunning(host, process.pid)).toBe(true)
  expect(isRunning(host, Bun.spawnSync(['true']).pid)).toBe(false)
})

test('a lock that is beating is not taken by another machine', async () => {
  using directory = temporaryDirectory()
  const lock = await take(directory.path, other, { beatMs: 10 })
  await expect(take(directory.path, {}, { silenceMs: 5000 })).rejects.toThrow('process 4711 on "clone"')
  await lock.release()
  await (await take(directory.path)).release()
  expect(readdirSync(directory.path)).toEqual([])
})

test('a lock of a machine that is silent is no obstacle, whatever its clock said', async () => {
  using directory = temporaryDirectory()
  const name = `.reeve-lock-${OWNER}-${other.machine}`
  writeFileSync(join(directory.path, name), JSON.stringify({ ...other, since: '2099-01-01T00:00:00.000Z' }))
  await (await take(directory.path)).release()
})

test('a lock of a dead process of this machine is no obstacle', async () => {
  using directory = temporaryDirectory()
  const { pid } = Bun.spawnSync(['true'])
  await take(directory.path, { pid })
  const lock = await take(directory.path, {}, { silenceMs: 600_000 })
  await lock.release()
  expect(readdirSync(directory.path)).toEqual([])
})

test('what is no lock is no obstacle', async () => {
  using directory = temporaryDirectory()
  writeFileSync(join(directory.path, `.reeve-lock-${OWNER}-x`), 'rubbish')
  writeFileSync(join(directory.path, '.reeve-lock-ffffffffffffffff-x'), JSON.stringify(other))
  await (await take(directory.path)).release()
})

test('a lock that cannot be removed is marked as released', async () => {
  using directory = temporaryDirectory()
  const destination = place(directory.path)
  destination.remove = async () => {
    throw new RemovalRefusedError('no')
  }
  const options = { owner: OWNER, isRunning: () => true, signal: new AbortController().signal }
  await (await DestinationLock.take(destination, { ...options, self: other })).release()
  const lock = await DestinationLock.take(destination, { ...options, self, silenceMs: 600_000 })
  await lock.release()
})

test('a run whose destination is locked is told, and takes it up again later', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const { owner } = JSON.parse(await Bun.file(join(fixture.stateDir, 'backups.json')).text())
  const lock = await DestinationLock.take(place(fixture.destination), {
    owner,
    self: other,
    isRunning: () => true,
    signal: new AbortController().signal,
    beatMs: 100,
  })
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  await expect(fixture.enforce()).rejects.toThrow('another run of this job is at work there')
  expect(rulesOf(await fixture.check())).toEqual(['backup-due'])
  await lock.release()
  expect(rulesOf((await fixture.enforce()).after)).toEqual([])
}, 30_000)
