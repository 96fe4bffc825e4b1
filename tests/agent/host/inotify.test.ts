import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { Inotify, parseInotifyEvents } from '../../../agent/host/inotify.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

test('parseInotifyEvents() reads several events, names that are no UTF-8, and an overflow', () => {
  const event = (watch: number, mask: number, name: number[]) => {
    const padded = name.length === 0 ? 0 : Math.ceil((name.length + 1) / 16) * 16
    const bytes = Buffer.alloc(16 + padded)
    bytes.writeInt32LE(watch, 0)
    bytes.writeUInt32LE(mask, 4)
    bytes.writeUInt32LE(padded, 12)
    Buffer.from(name).copy(bytes, 16)
    return bytes
  }
  const events = parseInotifyEvents(
    Buffer.concat([event(1, 0x40000100, [0x61, 0xff]), event(2, 0x4, []), event(-1, 0x4000, [])]),
  )
  expect(events).toEqual([
    { watch: 1, name: 'a\udcff', isDirectory: true, kind: 'appeared' },
    { watch: 2, name: '', isDirectory: false, kind: 'changed' },
    { watch: -1, name: '', isDirectory: false, kind: 'overflow' },
  ])
})

test('Inotify never blocks, and tells what is missing from what it may not watch', () => {
  using directory = temporaryDirectory()
  const inotify = Inotify.open()
  try {
    expect(inotify.read()).toEqual([])
    expect(inotify.add(`${directory.path}/none`)).toMatchObject({ refused: 'missing' })
    const added = inotify.add(directory.path)
    expect(added).toHaveProperty('watch')
    writeFileSync(`${directory.path}/x`, '')
    expect(inotify.read().map(({ name, kind }) => `${kind} ${name}`)).toEqual(['appeared x', 'changed x'])
  } finally {
    inotify.close()
  }
})
