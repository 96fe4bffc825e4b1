import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInPlugins } from '../../plugins/index.ts'

const TESTS = join(import.meta.dir, '..')

/** What shows a plugin's rules at work: its own tests, those of the whole binary, and the hosts of the checklists. */
function textsAbout(plugin: string): string {
  return [`plugins/${plugin}`, 'e2e', 'fault', 'cases']
    .flatMap((folder) =>
      readdirSync(join(TESTS, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(?:ts|yaml)$/.test(entry.name))
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
    )
    .join('\n')
}

const registry = await builtInPlugins.load(builtInPlugins.names)

test.each(builtInPlugins.names)('every rule of %s is in a test', (name) => {
  const texts = textsAbout(name)
  const rules = Object.keys(registry.get(name)?.rules ?? {})
  expect(rules.length).toBeGreaterThan(0)
  expect(rules.filter((rule) => !new RegExp(`(?<![\\w-])${rule}(?![\\w-])`).test(texts))).toEqual([])
})
