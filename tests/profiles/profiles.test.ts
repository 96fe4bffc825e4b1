import { expect, test } from 'bun:test'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../agent/config/load.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

const names = Object.keys(builtInPlugins.profiles ?? {})

test('every file of profiles is in the registry, under its own name', () => {
  const files = readdirSync(join(import.meta.dir, '../../profiles')).map((file) =>
    file.replace(/\.yaml$/, ''),
  )
  expect(files.toSorted()).toEqual(names.toSorted())
})

test.each(names)('the profile %s is valid with its defaults: jobs, rules and items', async (name) => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.yaml')
  writeFileSync(path, `profiles: [{ use: ${name} }]`, { mode: 0o600 })
  const { checklists, config } = await loadConfig(path, builtInPlugins)
  expect(checklists.map((checklist) => checklist.name)).toEqual([name])
  // A job that no item asks would run for nothing.
  const asked = new Set(
    checklists.flatMap(({ items }) => items.flatMap(({ checks }) => checks.map(({ job }) => job))),
  )
  expect(Object.keys(config.jobs).toSorted()).toEqual([...asked].toSorted())
})
