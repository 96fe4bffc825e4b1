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

test('several profiles of services stand beside each other, each with its values', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.yaml')
  const uses = '{ use: rostr, user: deploy, clients: [192.0.2.7] }, { use: ofelia, members: [anna, ben] }'
  writeFileSync(path, `profiles: [${uses}, { use: maestro }, { use: rstmdb }]`, { mode: 0o600 })
  const { config, checklists } = await loadConfig(path, builtInPlugins)
  expect(checklists.map(({ items }) => items.length)).toEqual([9, 25, 10, 12])
  expect(config.jobs['rostr-files']?.config.rules).toMatchObject([
    { path: '/home/deploy/.rostr', owner: 'deploy' },
    {},
    {},
    {},
    {},
    {},
    {},
    {},
    {},
    {},
  ])
  expect(config.jobs['rostr-network']?.config.allow).toMatchObject([
    { port: 8888, sources: ['192.0.2.7'] },
    {},
    {},
  ])
  expect(config.jobs['ofelia-containers']?.config.members).toEqual(['anna', 'ben'])
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
