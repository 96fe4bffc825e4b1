// Writes the reference pages from the code: `bun scripts/docs.ts [--check]`. With --check it writes nothing, and
// ends with 1 when a page is not what the code says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Registry } from '../agent/contract/plugin.ts'
import { builtInPlugins } from '../plugins/index.ts'
import { apiReference } from './docs/api-page.ts'
import { commandsReference } from './docs/commands-page.ts'
import { configurationReference } from './docs/configuration-page.ts'
import { editorSchema } from './docs/editor-schema.ts'
import { pluginReference } from './docs/plugin-page.ts'

const CHECKOUT = join(import.meta.dir, '..')
const BEGIN = '<!-- Written by scripts/docs.ts from the code, up to the next such line: change it there. -->'
const END = '<!-- End of what is written by scripts/docs.ts. -->'

/** Path below the checkout, and text, of every page as it should be. */
export async function pages(): Promise<Map<string, string>> {
  const registry = await builtInPlugins.load(builtInPlugins.names)
  const blocks = new Map([
    ['docs/configuration.md', configurationReference()],
    ['docs/commands.md', await commandsReference(registry)],
    ['docs/api.md', apiReference()],
    ...pluginBlocks(registry),
  ])
  const result = new Map([...blocks].map(([path, block]) => [path, withBlock(path, block)]))
  return result.set('docs/reeve.schema.json', `${JSON.stringify(editorSchema(registry), null, 2)}\n`)
}

function pluginBlocks(registry: Registry): [string, string][] {
  return [...registry.values()].map((plugin) => {
    const folder = `plugins/${plugin.name}`
    return [`${folder}/README.md`, pluginReference(plugin, readText(`${folder}/sample.yaml`) ?? '')]
  })
}

/** The page as it is, with the block between the two marks put in; a new page where there is none. */
function withBlock(path: string, block: string): string {
  const page = readText(path) ?? `# ${dirname(path).split('/').at(-1)}\n\n${BEGIN}\n${END}\n`
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin)
    throw new Error(`Cannot write "${path}": it lacks the marks for the reference`)
  return `${page.slice(0, begin)}${BEGIN}\n\n${block}\n\n${page.slice(end)}`
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(join(CHECKOUT, path), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Paths of pages that are not what the code says. */
export async function stalePages(): Promise<string[]> {
  return [...(await pages())].filter(([path, text]) => readText(path) !== text).map(([path]) => path)
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const stale = await stalePages()
  if (values.check) {
    for (const path of stale) console.error(`${path}: not what the code says; run: bun scripts/docs.ts`)
    process.exit(stale.length > 0 ? 1 : 0)
  }
  const all = await pages()
  for (const path of stale) {
    mkdirSync(dirname(join(CHECKOUT, path)), { recursive: true })
    writeFileSync(join(CHECKOUT, path), all.get(path) ?? '')
    console.log(path)
  }
}
