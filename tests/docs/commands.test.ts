import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { type Block, blocksOf, pages, readPage } from './markdown.ts'
import { DocumentedHost } from './session.ts'

// The commands of the pages, as they stand there, on a host that was set up by `reeve init --try`.

setDefaultTimeout(120_000)

const shellBlocks = pages()
  .flatMap((page) => blocksOf(page))
  .filter(({ language }) => language === 'sh')
const reasonOf = ({ note }: Block) => /^not-run: (.+)$/.exec(note)?.[1]
const needs = {
  programs: ['curl', 'gpg'],
  reason: landlockAbi() === 0 ? 'no Landlock: no job would run' : undefined,
}

let directory: ReturnType<typeof temporaryDirectory>
let host: DocumentedHost

beforeAll(async () => {
  directory = temporaryDirectory('reeve-docs')
  host = await DocumentedHost.start(directory.path)
})
afterAll(async () => {
  await host?.[Symbol.asyncDispose]()
  // The agent that gpg has started for the keys of a page.
  if (Bun.which('gpgconf'))
    Bun.spawnSync(['gpgconf', '--homedir', join(directory.path, 'keys'), '--kill', 'all'])
  directory?.[Symbol.dispose]()
})

for (const block of shellBlocks.filter((block) => reasonOf(block) === undefined)) {
  testWith(needs)(`${block.page}:${block.line} does what it says`, () => {
    const output = host.run(block.text)
    if (!block.text.includes('/v1/status')) return
    expect(output).toContain('"state":')
    expect(output).toContain('"outcome":')
    expect(output).toContain('# TYPE reeve_build_info gauge')
  })
}

const unrun = shellBlocks.filter((block) => reasonOf(block) !== undefined)
for (const [title, blocks] of Map.groupBy(unrun, (block) => `${block.page} [${reasonOf(block)}]`)) {
  const lines = blocks.map(({ line }) => line).join(', ')
  test.skip(title.replace(' [', `, line ${lines}, does what it says [`), () => {})
}

testWith(needs)('docs/operations.md names every metric of reeve itself', () => {
  const names = new Set(
    [
      ...host
        .run('curl --unix-socket /run/reeve/reeve.sock http://localhost/metrics')
        .matchAll(/^# TYPE (\S+)/gm),
    ].map(([, name]) => name ?? ''),
  )
  const own = [...names].filter(
    (name) => !/^reeve_(permission_drift|log_rotation|credential_age|backup|command)_/.test(name),
  )
  const told = readPage('docs/operations.md')
  expect(own.length).toBeGreaterThan(10)
  expect(own.filter((name) => !told.includes(`\`${name}\``))).toEqual([])
})
