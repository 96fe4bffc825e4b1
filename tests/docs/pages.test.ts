import { expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../agent/config/load.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { anchorsOf, type Block, blocksOf, CHECKOUT, ownLinksOf, pages, readPage } from './markdown.ts'

const allBlocks = pages().flatMap((page) => blocksOf(page))
const titleOf = ({ page, line }: Block) => `${page}:${line}`

test('there are pages, with blocks of every kind that is tested', () => {
  expect(pages()).toContain('README.md')
  const kinds = new Set(allBlocks.map(({ language, note }) => `${language} ${note.split(/[=:]/)[0]}`.trim()))
  expect(kinds).toContain('sh')
  expect(kinds).toContain('sh not-run')
  expect(kinds).toContain('yaml')
  expect(kinds).toContain('yaml sample')
})

test.each(pages())('%s leads to files and headings that there are', (page) => {
  const broken = ownLinksOf(readPage(page)).filter((target) => {
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : join(dirname(page), path)
    if (!existsSync(join(CHECKOUT, file))) return true
    return anchor !== undefined && !anchorsOf(readPage(file)).has(anchor)
  })
  expect(broken).toEqual([])
})

const isConfiguration = ({ note }: Block) =>
  note === '' || note === 'sample' || note.endsWith('reeve.yaml') || note === 'file=conf.yaml'
const yamlBlocks = allBlocks.filter(({ language }) => language === 'yaml')

test.each(yamlBlocks.filter(isConfiguration).map((block) => [titleOf(block), block] as const))(
  'the configuration at %s is valid',
  async (_title, { note, text }) => {
    using directory = temporaryDirectory()
    const path = join(directory.path, 'reeve.yaml')
    writeFileSync(path, note === 'sample' ? `jobs:\n${text.replace(/^(?=.)/gm, '  ')}` : text)
    chmodSync(path, 0o600)
    const { config } = await loadConfig(path, builtInPlugins)
    expect(Object.keys(config)).toContain('jobs')
  },
)

test.each(
  yamlBlocks.filter(({ note }) => note === 'profile').map((block) => [titleOf(block), block] as const),
)('the profile at %s is valid', async (_title, { text }) => {
  using directory = temporaryDirectory()
  const write = (name: string, content: string) => {
    const path = join(directory.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  write('profiles.d/own.yaml', text)
  const name = /^name: (.*)$/m.exec(text)?.[1]
  const path = write('reeve.yaml', `profiles: [{ use: ${name} }]`)
  const { checklists } = await loadConfig(path, builtInPlugins)
  expect(checklists).toMatchObject([{ name }])
})

test.each(
  allBlocks
    .filter(({ language }) => language === 'sh')
    .map((block) => [titleOf(block), block.text, block.note] as const),
)('the shell can read what stands at %s', (_title, text, note) => {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-n'], { stdin: Buffer.from(text) })
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: '' })
  expect(note).toMatch(/^$|^not-run: ./)
})

test('every block says in what language it is', () => {
  const known = ['sh', 'yaml', 'ts', 'json', 'text']
  expect(allBlocks.filter(({ language }) => !known.includes(language)).map(titleOf)).toEqual([])
})
