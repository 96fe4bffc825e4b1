import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { externalContract } from '../../../agent/contract/external.ts'
import * as contract from '../../../agent/contract/mod.ts'
import { describePlugin, loadExternalPlugin } from '../../../agent/worker/external.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

async function load(text: string, name = 'plugin.ts') {
  using directory = temporaryDirectory()
  const path = join(directory.path, name)
  writeFileSync(path, text)
  return await loadExternalPlugin(path)
}

const GOOD = {
  name: "'sample'",
  summary: "'A sample'",
  defaults: "{ schedule: '@daily', timeout: '1m' }",
  rules: "{ wrong: { means: 'It is wrong', severity: 'warning', references: ['https://example.org'] } }",
  config: 'z.strictObject({ limit: z.number().int().max(5) })',
  permissions: "({ limit }) => ({ check: { read: ['/srv/' + limit] } })",
  check: 'async () => ({ findings: [] })',
}

function spec(changes: Partial<Record<keyof typeof GOOD, string>> = {}): string {
  const members = Object.entries({ ...GOOD, ...changes }).map(([key, value]) => `${key}: ${value}`)
  return `export default ({ definePlugin, z }) => definePlugin({ ${members.join(', ')} })`
}

test('externalContract has all that mod.ts exports', () => {
  const given = new Map<string, unknown>(Object.entries(externalContract))
  const exported = new Map<string, unknown>(Object.entries(contract))
  expect([...given.keys()].toSorted()).toEqual([...exported.keys()].toSorted())
  for (const [name, value] of exported) if (name !== 'z') expect(given.get(name)).toBe(value)
})

test('externalContract.z is a part of zod, each under its own name', () => {
  const all = new Map<string, unknown>(Object.entries(z))
  for (const [name, value] of Object.entries<unknown>(externalContract.z)) {
    expect([name, value === all.get(name)]).toEqual([name, true])
  }
})

test('loadExternalPlugin() takes a function of the contract, and a plain object with types', async () => {
  const plugin = await load(spec())
  expect(plugin).toMatchObject({ name: 'sample', defaults: { timeout: '1m' } })
  expect(await plugin.check(undefined as never)).toEqual({ findings: [] })
  const object = `interface A { a: string }
    const z = { strictObject: (x: unknown) => ({ parse: (v: unknown) => v }), number: () => ({ int: () => ({ max: () => 1 }) }) }
    export default ${spec()
      .replace(/^.*?definePlugin\(/, '')
      .replace(/\)$/, '')}`
  expect(await load(object)).toMatchObject({ name: 'sample' })
})

describe('loadExternalPlugin() refuses', () => {
  test.each([
    ['export default 5', 'its default export is no plugin'],
    ['export const a = 1', 'its default export is no plugin'],
    ['export default () => null', 'its default export is no plugin'],
    [spec({ name: '"No"' }), 'name: '],
    [spec({ name: '7' }), 'name: '],
    [spec({ summary: '7' }), 'summary: '],
    [spec({ defaults: 'undefined' }), 'defaults: '],
    [spec({ defaults: '{ timeout: "1m" }' }), 'defaults.schedule: '],
    [spec({ defaults: '{ schedule: "@daily", timeout: 60 }' }), 'defaults.timeout: '],
    [spec({ rules: '"all"' }), 'rules: '],
    [spec({ rules: '{ a: { severity: "info" } }' }), 'rules.a.means: '],
    [spec({ rules: '{ a: { means: "a", severity: "grave" } }' }), 'rules.a.severity: wanted one of info, '],
    [spec({ rules: '{ a: { means: "a", severity: "info", references: [7] } }' }), 'rules.a.references: '],
    [spec({ config: '{}' }), 'config: '],
    [spec({ permissions: '{ check: {} }' }), 'permissions: '],
    [spec({ check: 'undefined' }), 'check: '],
  ])('%s', async (text, problem) => {
    await expect(load(text)).rejects.toThrow(new RegExp(`^Cannot use the plugin "/.*/plugin.ts": ${problem}`))
  })

  test('a file that throws, that is none, or that is not there', async () => {
    await expect(load('throw new Error("at once")')).rejects.toThrow('at once')
    await expect(load('export default (')).rejects.toThrow()
    await expect(loadExternalPlugin('/nonexistent/plugin.ts')).rejects.toThrow('ENOENT')
  })
})

test('describePlugin() tells what each job asks for, or why its settings are refused', async () => {
  const described = describePlugin(await load(spec()), {
    good: { limit: 3 },
    high: { limit: 6 },
    unknown: { limit: 1, colour: 'red' },
  })
  expect(described).toMatchObject({
    name: 'sample',
    canApply: false,
    rules: { wrong: { severity: 'warning' } },
  })
  expect(described.jobs.good).toEqual({ check: { read: ['/srv/3'] } })
  expect(described.jobs.high).toEqual({ error: expect.stringContaining('limit') })
  expect(described.jobs.unknown).toEqual({ error: expect.stringContaining('colour') })
})
