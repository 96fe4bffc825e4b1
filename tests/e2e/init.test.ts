import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reeveBinary } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

setDefaultTimeout(60_000)

function init(directory: string, ...words: string[]) {
  const argv = [reeveBinary(), 'init', ...words, '--config', join(directory, 'reeve.yaml')]
  const { exitCode, stdout, stderr } = Bun.spawnSync(words.includes('--try') ? argv.slice(0, -2) : argv)
  expect([exitCode, stderr.toString()]).toEqual([0, ''])
  return stdout.toString()
}

testWith({ programs: ['git'] })(
  'reeve init in a work tree of git keeps what may hold a secret out of it',
  () => {
    using directory = temporaryDirectory()
    const place = join(directory.path, 'etc/reeve')
    mkdirSync(place, { recursive: true })
    expect(Bun.spawnSync(['git', 'init', '-q', directory.path]).exitCode).toBe(0)
    init(place)
    for (const name of ['environment', 'backup.passphrase', 'tls.key']) writeFileSync(join(place, name), 'x')
    const status = Bun.spawnSync(['git', '-C', directory.path, 'status', '--short', '--untracked-files=all'])
    expect(status.stdout.toString().trim().split('\n').toSorted()).toEqual([
      '?? etc/reeve/.gitignore',
      '?? etc/reeve/reeve.yaml',
    ])
  },
)

test('reeve init never touches a .gitignore, and writes none where there is no git', () => {
  using directory = temporaryDirectory()
  init(directory.path)
  expect(existsSync(join(directory.path, '.gitignore'))).toBe(false)
  using tree = temporaryDirectory()
  mkdirSync(join(tree.path, '.git'))
  writeFileSync(join(tree.path, '.gitignore'), 'mine\n')
  expect(init(tree.path)).toContain('see to it that its .gitignore has: environment .env')
  expect(readFileSync(join(tree.path, '.gitignore'), 'utf8')).toBe('mine\n')
})
