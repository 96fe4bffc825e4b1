import { expect, test } from 'bun:test'
import { chmodSync, chownSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { isRoot } from '../../../kit/ordinary-user.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

const config: ConfigInput = { rules: [{ path: '/srv/*', mode: { atMost: '0600' } }] }
const modeOf = (host: { root: string }, path: string) =>
  (lstatSync(host.root + path).mode & 0o7777).toString(8)

async function repaired(names = ['a', 'b', 'c']) {
  const host = hostFixture()
  for (const name of names) host.make(`/srv/${name}`, 0o644)
  await host.apply(config, (await host.check(config)).findings)
  return { host, at: host.now().toISOString() }
}

test('undo puts back what a run repaired, and the next check leaves it alone', async () => {
  const { host, at } = await repaired()
  using _ = host
  expect(modeOf(host, '/srv/a')).toBe('600')
  const plan = await host.command(config, 'undo', { values: { at, 'dry-run': true } })
  expect([plan.exitCode, modeOf(host, '/srv/a')]).toEqual([0, '600'])
  expect(plan.text).toContain('/srv/a: would be undone: mode 0600 to 0644')

  const result = await host.command(config, 'undo', { values: { at } })
  expect(result.exitCode).toBe(0)
  expect(result.text.split('\n')).toHaveLength(3)
  expect(['a', 'b', 'c'].map((name) => modeOf(host, `/srv/${name}`))).toEqual(['644', '644', '644'])

  host.wait(60_000)
  const { findings } = await host.check(config)
  expect(findings.map(({ rule, fixable }) => [rule, fixable])).toEqual(Array(3).fill(['mode-differs', false]))
  expect(findings[0]?.remedy).toStartWith('Its repair was undone on 2027-01-02T03:04:05.678Z')
  // Again there is nothing to undo.
  const again = await host.command(config, 'undo', { values: { at } })
  expect([again.exitCode, again.text]).toEqual([0, expect.stringContaining('nothing to undo')])
})

test('undo leaves alone what changed since the repair, and says so', async () => {
  const { host, at } = await repaired()
  using _ = host
  chmodSync(`${host.root}/srv/a`, 0o400)
  renameSync(`${host.root}/srv/c`, `${host.root}/srv/b`)
  const result = await host.command(config, 'undo', { values: { at } })
  expect(result.exitCode).toBe(3)
  expect(result.text.match(/left alone/g)).toHaveLength(3)
  expect([modeOf(host, '/srv/a'), modeOf(host, '/srv/b')]).toEqual(['400', '600'])
})

test('undo of a run without a journal says which there are', async () => {
  const { host, at } = await repaired()
  using _ = host
  const undo = (value: string) => host.command(config, 'undo', { values: { at: value } })
  expect(undo('2026-01-01T00:00:00.000Z')).rejects.toThrow('there is no journal of it')
  expect(undo('yesterday')).rejects.toThrow(`such as ${at.replaceAll(':', '-')}`)
})

test.skipIf(!isRoot)('undo gives owner and setuid back to a program', async () => {
  using host = hostFixture()
  const owned: ConfigInput = { rules: [{ path: '/srv/*', owner: 'root' }] }
  host.make('/srv/su')
  chownSync(`${host.root}/srv/su`, 1000, 1000)
  chmodSync(`${host.root}/srv/su`, 0o4755)
  await host.apply(owned, (await host.check(owned)).findings)
  expect([modeOf(host, '/srv/su'), lstatSync(`${host.root}/srv/su`).uid]).toEqual(['755', 0])
  await host.command(owned, 'undo', { values: { at: host.now().toISOString() } })
  expect([modeOf(host, '/srv/su'), lstatSync(`${host.root}/srv/su`).uid]).toEqual(['4755', 1000])
})

test('plan says what a repair would do, and does nothing', async () => {
  using host = hostFixture()
  host.make('/srv/a', 0o644)
  const before = readdirSync(`${host.root}/state`)
  const plan = await host.command(config, 'plan')
  expect([plan.exitCode, plan.text]).toEqual([3, '/srv/a: mode 0644 to 0600'])
  expect([modeOf(host, '/srv/a'), readdirSync(`${host.root}/state`)]).toEqual(['644', before])
  chmodSync(`${host.root}/srv/a`, 0o600)
  expect((await host.command(config, 'plan')).exitCode).toBe(0)
})

test('a repair that does not hold for an hour is critical, and not repeated until the entry was in order', async () => {
  const { host } = await repaired(['a'])
  using _ = host
  host.wait(600_000)
  chmodSync(`${host.root}/srv/a`, 0o666)
  const told = ['repair-contested /srv/a', 'mode-differs /srv/a']
  const first = await host.check(config)
  expect(tellAll(first).toSorted()).toEqual(told.toSorted())
  expect(first.findings.some(({ fixable }) => fixable)).toBe(false)
  expect(first.findings.find(({ rule }) => rule === 'repair-contested')?.severity).toBe('critical')
  // It stays so, however long it lasts.
  host.wait(7_200_000)
  expect(tellAll(await host.check(config)).toSorted()).toEqual(told.toSorted())
  chmodSync(`${host.root}/srv/a`, 0o600)
  expect(tellAll(await host.check(config))).toEqual([])
  chmodSync(`${host.root}/srv/a`, 0o666)
  expect((await host.check(config)).findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
    ['mode-differs', true],
  ])
})

test('a repair that held for an hour is repeated', async () => {
  const { host } = await repaired(['a'])
  using _ = host
  host.wait(3_600_001)
  chmodSync(`${host.root}/srv/a`, 0o666)
  expect((await host.check(config)).findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
    ['mode-differs', true],
  ])
})

test('what a repair had to leave is no sign that it did not hold', async () => {
  using host = hostFixture()
  const exact: ConfigInput = { rules: [{ path: '/srv/*', mode: '0640' }] }
  host.make('/srv/a', 0o604)
  await host.apply(exact, (await host.check(exact)).findings)
  expect(modeOf(host, '/srv/a')).toBe('600')
  host.wait(60_000)
  expect(tellAll(await host.check(exact))).toEqual(['mode-differs /srv/a'])
})

test('check() tells once of a run that was cut off, and how far it had come', async () => {
  const { host, at } = await repaired()
  using _ = host
  const state = `${host.root}/state`
  for (const name of readdirSync(state)) if (name.endsWith('.outcome.json')) rmSync(`${state}/${name}`)
  chmodSync(`${host.root}/srv/a`, 0o644)
  chmodSync(`${host.root}/srv/b`, 0o400)
  host.wait(7_200_000)
  const { findings } = await host.check(config)
  const [first] = findings.filter(({ rule }) => rule === 'repair-interrupted')
  expect(first?.summary).toBe(
    `The repair of ${at} was cut off: of 3 entries 1 are done, 0 half-way, 1 not begun, 1 something else by now`,
  )
  expect(tellAll(await host.check(config))).toEqual(['mode-differs /srv/a'])
})
