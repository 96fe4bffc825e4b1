import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStateDirectory } from '../../agent/state-directory.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8)

test('openStateDirectory() makes all of it private, whatever the umask', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'a/state')
  const mask = process.umask(0)
  const state = openStateDirectory(path)
  const job = state.forJob('logs')
  process.umask(mask)
  for (const made of [path, join(path, 'jobs'), join(path, 'locks'), job])
    expect([made, mode(made)]).toEqual([made, '700'])
  expect(mode(join(path, 'host.key'))).toBe('600')
  expect(readdirSync(path).toSorted()).toEqual(['host.key', 'jobs', 'locks'])
  expect(state.lockFile('job-logs')).toBe(join(path, 'locks/job-logs.lock'))
})

test('openStateDirectory() makes one key for each host and keeps it', () => {
  using directory = temporaryDirectory()
  const [first, second] = ['a', 'b'].map((name) =>
    openStateDirectory(join(directory.path, name)).hostKey.toString('hex'),
  )
  expect(first).toHaveLength(64)
  expect(first).not.toEqual(second)
  expect(openStateDirectory(join(directory.path, 'a')).hostKey.toString('hex')).toBe(first ?? '')
})

test('openStateDirectory() gives the same key to processes that are first at once', async () => {
  using directory = temporaryDirectory()
  const module = join(import.meta.dir, '../../agent/state-directory.ts')
  const script = `const { openStateDirectory } = await import(${JSON.stringify(module)})
    console.log(openStateDirectory(${JSON.stringify(join(directory.path, 'state'))}).hostKey.toString('hex'))`
  const children = Array.from({ length: 6 }, () =>
    Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' }),
  )
  const keys = await Promise.all(children.map((child) => child.stdout.text()))
  expect(new Set(keys.map((key) => key.trim()))).toEqual(
    new Set([readFileSync(join(directory.path, 'state/host.key')).toString('hex')]),
  )
  expect(readdirSync(join(directory.path, 'state')).toSorted()).toEqual(['host.key', 'jobs', 'locks'])
})

for (const bytes of [0, 31, 33]) {
  test(`openStateDirectory() refuses a key of ${bytes} bytes, and leaves it as it is`, () => {
    using directory = temporaryDirectory()
    writeFileSync(join(directory.path, 'host.key'), Buffer.alloc(bytes))
    expect(() => openStateDirectory(directory.path)).toThrow(
      `it is damaged (${bytes} bytes). Restore it from a backup`,
    )
    expect(statSync(join(directory.path, 'host.key')).size).toBe(bytes)
  })
}

test('openStateDirectory() refuses one that others can write, and says what to do', () => {
  using directory = temporaryDirectory()
  for (const bits of [0o770, 0o702, 0o777]) {
    chmodSync(directory.path, bits)
    expect(() => openStateDirectory(directory.path)).toThrow(
      `others can write it; run: chmod 0700 ${directory.path}`,
    )
  }
  expect(readdirSync(directory.path)).toEqual([])
})

test('openStateDirectory() refuses what is no directory', () => {
  using directory = temporaryDirectory()
  const file = join(directory.path, 'file')
  writeFileSync(file, '')
  expect(() => openStateDirectory(file)).toThrow(`Cannot use the state directory "${file}"`)
  expect(() => openStateDirectory(join(file, 'below'))).toThrow(
    `Cannot use the state directory "${file}/below"`,
  )
})

/** The test below runs the checkout as another user, who may not reach it. */
const reaches = () =>
  Bun.spawnSync(['setpriv', '--reuid=65534', '--clear-groups', 'test', '-r', import.meta.path]).exitCode === 0
const reason =
  Bun.which('setpriv') && !reaches() ? 'the checkout lies where another user cannot read it' : undefined

testWith({ programs: ['setpriv'], root: true, reason })(
  'openStateDirectory() refuses one of another user',
  () => {
    using directory = temporaryDirectory()
    chmodSync(directory.path, 0o755)
    mkdirSync(join(directory.path, 'state'), { mode: 0o755 })
    const module = join(import.meta.dir, '../../agent/state-directory.ts')
    const script = `const { openStateDirectory } = await import(${JSON.stringify(module)})
    try { openStateDirectory(${JSON.stringify(join(directory.path, 'state'))}) } catch (error) { console.log(error.name, error.message) }`
    const { stdout } = Bun.spawnSync([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '-e',
      script,
    ])
    expect(stdout.toString()).toStartWith('UserError Cannot use the state directory')
    expect(stdout.toString()).toContain('it belongs to user id 0, reeve runs as 65534')
  },
)
