import { expect, test } from 'bun:test'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

test('isOpenForWriting() sees a writer of another process, and that it has gone', async () => {
  using directory = temporaryDirectory()
  const path = `${directory.path}/log`
  writeFileSync(path, 'x')
  const host = new LocalHostReader('/', ALL_GRANTS)
  expect(host.isOpenForWriting(path)).toBe(false)
  const writer = Bun.spawn(['/bin/sh', '-c', `exec 3>>${path}; echo open; read line`], {
    stdin: 'pipe',
    stdout: 'pipe',
  })
  await writer.stdout.getReader().read()
  expect(host.isOpenForWriting(path)).toBe(true)
  writer.stdin.end()
  await writer.exited
  expect(host.isOpenForWriting(path)).toBe(false)
})

test('isOpenForWriting() does not mind readers, and leaves no lease behind', () => {
  using directory = temporaryDirectory()
  const path = `${directory.path}/log`
  writeFileSync(path, 'x')
  const host = new LocalHostReader('/', ALL_GRANTS)
  const reader = openSync(path, 'r')
  expect(host.isOpenForWriting(path)).toBe(false)
  closeSync(openSync(path, 'a'))
  expect(host.isOpenForWriting(path)).toBe(false)
  closeSync(reader)
})
