import { expect, test } from 'bun:test'
import { linkSync, lstatSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

function fixture() {
  const directory = temporaryDirectory()
  mkdirSync(`${directory.path}/logs`)
  mkdirSync(`${directory.path}/elsewhere`)
  return { path: directory.path, host: new LocalHostWriter('/', ALL_GRANTS), directory }
}

test('openDirectory() refuses a link in any component', () => {
  const { path, host, directory } = fixture()
  using _ = directory
  symlinkSync('logs', `${path}/current`)
  mkdirSync(`${path}/logs/deeper`)
  expect(() => host.openDirectory(`${path}/current`)).toThrow('Cannot open')
  expect(() => host.openDirectory(`${path}/current/deeper`)).toThrow('is a link or no directory')
  expect(() => host.openDirectory(`${path}/missing`)).toThrow('no such file or directory')
  host.openDirectory(`${path}/logs/deeper`).close()
})

test('openDirectory() stays on its directory when another one is put in its place', () => {
  const { path, host, directory } = fixture()
  using _ = directory
  writeFileSync(`${path}/logs/a.log`, 'right')
  writeFileSync(`${path}/elsewhere/a.log`, 'wrong')
  const handle = host.openDirectory(`${path}/logs`)
  renameSync(`${path}/logs`, `${path}/moved`)
  symlinkSync('elsewhere', `${path}/logs`)

  expect(handle.readText(`${path}/logs/a.log`)).toBe('right')
  expect(handle.list(`${path}/logs`)).toEqual(['a.log'])
  handle.rename(`${path}/logs/a.log`, `${path}/logs/b.log`)
  handle.writeFile(`${path}/logs/new`, 'x')
  handle.truncate(`${path}/logs/b.log`)
  handle.remove(`${path}/logs/new`)
  handle.close()
  expect(host.list(`${path}/moved`)).toEqual(['b.log'])
  expect(lstatSync(`${path}/moved/b.log`).size).toBe(0)
  expect(readFileSync(`${path}/elsewhere/a.log`, 'utf8')).toBe('wrong')
})

test('create() uses the temporary name and the time of change that it is given', () => {
  const { path, host, directory } = fixture()
  using _ = directory
  const temporaryPath = `${path}/logs/.part`
  const sink = host.create(`${path}/logs/out`, { temporaryPath, mtimeMs: 1_700_000_000_000, mode: 0o640 })
  sink.write(Buffer.from('one'))
  expect(lstatSync(temporaryPath).mode & 0o777).toBe(0o640)
  sink.sync()
  expect(() => host.create(`${path}/logs/out`, { temporaryPath })).toThrow('it exists already')
  sink.commit({ durable: false })
  host.syncDirectory(`${path}/logs`)
  expect(lstatSync(`${path}/logs/out`).mtimeMs).toBe(1_700_000_000_000)
  expect(host.list(`${path}/logs`)).toEqual(['out'])
})

test('truncate() leaves a file alone that grew or was replaced', () => {
  const { path, host, directory } = fixture()
  using _ = directory
  writeFileSync(`${path}/logs/a.log`, '12345')
  const seen = lstatSync(`${path}/logs/a.log`)
  expect(host.truncate(`${path}/logs/a.log`, { dev: seen.dev, ino: seen.ino, size: 4 })).toBe(false)
  expect(readFileSync(`${path}/logs/a.log`, 'utf8')).toBe('12345')
  expect(() => host.truncate(`${path}/logs/a.log`, { dev: seen.dev, ino: seen.ino + 1, size: 5 })).toThrow(
    'replaced',
  )
  expect(host.truncate(`${path}/logs/a.log`, { dev: seen.dev, ino: seen.ino, size: 5 })).toBe(true)
  expect(lstatSync(`${path}/logs/a.log`).size).toBe(0)
})

test('link() gives a second name and never replaces one', () => {
  const { path, host, directory } = fixture()
  using _ = directory
  writeFileSync(`${path}/logs/a`, 'a')
  host.link(`${path}/logs/a`, `${path}/logs/b`)
  expect(host.stat(`${path}/logs/b`)?.nlink).toBe(2)
  linkSync(`${path}/logs/a`, `${path}/logs/c`)
  expect(() => host.link(`${path}/logs/a`, `${path}/logs/c`)).toThrow('it exists already')
})
