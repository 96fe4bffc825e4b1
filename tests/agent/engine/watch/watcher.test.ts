import { expect, test } from 'bun:test'
import {
  chmodSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { Watcher } from '../../../../agent/engine/watch/watcher.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { waitUntil } from '../../../kit/wait.ts'

async function watching(
  paths: (root: string) => string[],
  options: { exclude?: string[]; max?: number } = {},
) {
  const directory = temporaryDirectory('reeve-watch')
  const root = realpathSync(directory.path)
  mkdirSync(`${root}/etc/deep`, { recursive: true })
  writeFileSync(`${root}/etc/shadow`, 'x')
  const told: string[] = []
  const exclude = (options.exclude ?? []).map((pattern) => pattern.replace('ROOT', root))
  const watcher = new Watcher(
    [
      { job: 'a', paths: paths(root), exclude },
      { job: 'other', paths: [`${root}/elsewhere/**`], exclude: [] },
    ],
    (job) => told.push(job),
    options.max,
  )
  await watcher.watchAll()
  /** Which jobs are told of what an action changes. */
  const after = (act: () => void): string[] => {
    told.length = 0
    act()
    watcher.poll()
    return [...new Set(told)]
  }
  const dispose = () => {
    watcher.close()
    directory[Symbol.dispose]()
  }
  return { root, watcher, told, after, [Symbol.dispose]: dispose }
}

test('Watcher tells of what is made, changed, replaced and removed in a tree, also in new directories', async () => {
  using host = await watching((root) => [`${root}/etc`, `${root}/etc/**`])
  const { root, after } = host
  expect(after(() => chmodSync(`${root}/etc/shadow`, 0o600))).toEqual(['a'])
  expect(after(() => writeFileSync(`${root}/etc/deep/new`, ''))).toEqual(['a'])
  expect(after(() => mkdirSync(`${root}/etc/fresh/er`, { recursive: true }))).toEqual(['a'])
  expect(after(() => writeFileSync(`${root}/etc/fresh/er/x`, ''))).toEqual(['a'])
  expect(after(() => chmodSync(`${root}/etc`, 0o700))).toEqual(['a'])
  expect(after(() => renameSync(`${root}/etc/fresh`, `${root}/etc/moved`))).toEqual(['a'])
  expect(after(() => chmodSync(`${root}/etc/moved/er/x`, 0o600))).toEqual(['a'])
  expect(after(() => unlinkSync(`${root}/etc/moved/er/x`))).toEqual(['a'])
  expect(after(() => rmSync(`${root}/etc`, { recursive: true }))).toEqual(['a'])
  expect(after(() => mkdirSync(`${root}/etc`))).toEqual(['a'])
  expect(after(() => writeFileSync(`${root}/etc/back`, ''))).toEqual(['a'])
})

test('Watcher of one file goes on after it was replaced, again and again', async () => {
  using host = await watching((root) => [`${root}/etc/shadow`])
  const { root, after } = host
  for (let round = 0; round < 3; round++) {
    writeFileSync(`${root}/etc/.new`, 'y')
    expect(after(() => renameSync(`${root}/etc/.new`, `${root}/etc/shadow`))).toEqual(['a'])
    expect(after(() => chmodSync(`${root}/etc/shadow`, 0o640 - round))).toEqual(['a'])
  }
  expect(after(() => writeFileSync(`${root}/etc/passwd`, ''))).toEqual([])
})

test('Watcher is silent about reading, about what no pattern names, and about what is left out', async () => {
  using host = await watching((root) => [`${root}/etc/**`], {
    exclude: ['ROOT/etc/deep', 'ROOT/etc/deep/**', '**/*.swp'],
  })
  const { root, after } = host
  expect(after(() => Bun.spawnSync(['cat', `${root}/etc/shadow`]))).toEqual([])
  expect(after(() => writeFileSync(`${root}/nowhere`, ''))).toEqual([])
  expect(after(() => writeFileSync(`${root}/etc/deep/x`, ''))).toEqual([])
  expect(after(() => writeFileSync(`${root}/etc/x.swp`, ''))).toEqual([])
  expect(after(() => writeFileSync(`${root}/etc/x`, ''))).toEqual(['a'])
})

test('Watcher follows a link that a pattern names, and no other', async () => {
  using host = await watching((root) => [`${root}/run/lock/x`, `${root}/etc/**`])
  const { root, watcher, after } = host
  mkdirSync(`${root}/real/lock`, { recursive: true })
  mkdirSync(`${root}/outside`)
  symlinkSync('real', `${root}/run`)
  symlinkSync('../outside', `${root}/etc/out`)
  watcher.poll()
  await watcher.watchAll()
  expect(after(() => writeFileSync(`${root}/real/lock/x`, ''))).toEqual(['a'])
  expect(after(() => writeFileSync(`${root}/outside/x`, ''))).toEqual([])
})

test('Watcher says when it cannot watch everything', async () => {
  using host = await watching((root) => [`${root}/etc/**`], { max: 4 })
  const state = host.watcher.states().get('a')
  expect(state).toMatchObject({ state: 'partial' })
  expect(state?.reason).toContain('directories are not watched: more than 4 would have to be')
})

test('Watcher takes an overflow of events for a change of everything, and goes on', async () => {
  using host = await watching((root) => [`${root}/etc/**`])
  const { root, watcher, told, after } = host
  const maximum = Number(await Bun.file('/proc/sys/fs/inotify/max_queued_events').text())
  for (let index = 0; index < maximum / 2 + 10; index++) {
    writeFileSync(`${root}/etc/x${index % 10}`, '')
    unlinkSync(`${root}/etc/x${index % 10}`)
  }
  told.length = 0
  await waitUntil('every job is told', 5000, () => {
    watcher.poll()
    return told.includes('other')
  })
  expect(after(() => writeFileSync(`${root}/etc/after`, ''))).toEqual(['a'])
}, 30_000)
