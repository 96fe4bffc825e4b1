import { expect, test } from 'bun:test'
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { fileKey, findWriters } from '../../../agent/host/writers.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

test('findWriters() names who has a file open for writing, and not who reads it or writes elsewhere', async () => {
  using directory = temporaryDirectory()
  using other = temporaryDirectory()
  const [written, read] = [`${directory.path}/written`, `${directory.path}/read`]
  writeFileSync(written, '')
  writeFileSync(read, '')
  const child = Bun.spawn(
    ['sh', '-c', 'exec 3>>"$0" 4<"$1" 5>"$2"; echo; exec sleep 60', written, read, `${other.path}/x`],
    { stdout: 'pipe' },
  )
  try {
    await child.stdout.getReader().read()
    const writers = findWriters([directory.path])
    const comm = readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim()
    expect(['sh', 'sleep']).toContain(comm)
    expect(Object.keys(writers ?? {})).toEqual([fileKey(statSync(written))])
    expect(writers?.[fileKey(statSync(written))]?.[0]).toMatch(new RegExp(`^(sh|sleep)\\[${child.pid}\\]$`))
    const host = new LocalHostReader('/', ALL_GRANTS, writers)
    expect(host.writersOf(statSync(written))).toHaveLength(1)
    expect(host.writersOf(statSync(read))).toEqual([])
  } finally {
    child.kill('SIGKILL')
    await child.exited
  }
})

test('findWriters() leaves this process out; where nobody looked, nothing is known', () => {
  using directory = temporaryDirectory()
  const descriptor = openSync(`${directory.path}/own`, 'a')
  try {
    expect(findWriters([directory.path])).toEqual({})
  } finally {
    closeSync(descriptor)
  }
  expect(new LocalHostReader('/', ALL_GRANTS).writersOf({ dev: 1, ino: 1 })).toBeUndefined()
})
