import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstConfig, type Place } from '../../../agent/cli/first-config.ts'
import { loadConfig } from '../../../agent/config/load.ts'
import { builtInPlugins } from '../../../plugins/index.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

async function load(text: string) {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return (await loadConfig(path, builtInPlugins)).config
}

const HOMES = ['/home/someone', '/root', "/home/with space and 'quotes'", '/home/#hash: x']

for (const kind of ['host', 'user', 'trial'] as const) {
  test(`firstConfig() for a ${kind} is a valid configuration, whatever the paths`, async () => {
    for (const home of HOMES) {
      const place: Place = { kind, directory: `${home}/trial`, home }
      const config = await load(firstConfig(place))
      expect(Object.keys(config.jobs).length).toBeGreaterThanOrEqual(2)
      expect(config.defaults.sandbox).toBe('always')
    }
  })
}

test('firstConfig() acts on nothing by itself but in a trial, which keeps to its directory', async () => {
  for (const kind of ['host', 'user'] as const) {
    const config = await load(firstConfig({ kind, directory: '/x', home: '/home/someone' }))
    expect(Object.values(config.jobs).map(({ mode }) => mode)).not.toContain('enforce')
  }
  const trial = await load(firstConfig({ kind: 'trial', directory: '/tmp/trial', home: '/home/someone' }))
  expect(trial.stateDir).toStartWith('/tmp/trial/')
  expect(trial.api.socket).toStartWith('/tmp/trial/')
  const registry = await builtInPlugins.load(builtInPlugins.names)
  for (const { plugin, config, mode } of Object.values(trial.jobs)) {
    const spec = registry.get(plugin)
    if (mode !== 'enforce' || !spec) continue
    const { apply } = spec.permissions(spec.config.parse(config))
    for (const path of [...(apply?.write ?? []), ...(apply?.attributes ?? [])])
      expect(path).toStartWith('/tmp/trial/')
  }
})

test('firstConfig() has examples that are valid when the comment signs are taken away', async () => {
  const text = firstConfig({ kind: 'host', directory: '/etc/reeve', home: '/root' })
  const examples = text.replace(
    /^( *)# (?=( *)(logs:|backup:|plugin:|schedule:|mode:|config:|sets:|- \{|sources:|recipients:|destinations:|retention:|alerts:|channels:))/gm,
    '$1',
  )
  const config = await load(examples)
  expect(Object.keys(config.jobs)).toEqual(expect.arrayContaining(['logs', 'backup']))
  expect(config.alerts.channels).toHaveLength(1)
})
