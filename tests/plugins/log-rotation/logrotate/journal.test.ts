import { expect, test } from 'bun:test'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULTS, type LogSet } from '../../../../plugins/log-rotation/logrotate/settings.ts'
import { Files } from '../../../../plugins/log-rotation/program/files.ts'
import { Journal } from '../../../../plugins/log-rotation/program/journal.ts'
import { formatLine, parseJournal } from '../../../../plugins/log-rotation/program/journal-format.ts'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'
import { Output } from '../../../../plugins/log-rotation/program/output.ts'
import type { LogRotation } from '../../../../plugins/log-rotation/program/rotation.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

const SET: LogSet = { pattern: '/a/*.log', files: [], settings: { ...DEFAULTS } }
const NOW = new Date(1_800_000_000_000)

function planned(path: string): LogRotation {
  const attributes = {
    mode: 0o640,
    uid: 0,
    gid: 0,
    sizeBytes: 1,
    links: 1,
    device: 1,
    accessedNs: 1n,
    modifiedNs: 1n,
  }
  const date = { text: '', pattern: '', format: '' }
  const parts = { directory: '/a', base: path.slice(3), extension: '', compression: '', date }
  return {
    path,
    set: SET,
    names: { ...parts, final: `${path}.1`, first: `${path}.1`, dispose: undefined },
    attributes,
    now: NOW,
    mailCommand: '/bin/false',
    files: new Files(false),
    output: new Output(false),
    dryRun: false,
  }
}

function journaled() {
  const directory = temporaryDirectory('journal')
  const state = join(directory.path, 'state')
  const file = `${state}.reeve-journal`
  const open = () => {
    const journal = Journal.open(state)
    if (!journal) throw new Error('no journal')
    return journal
  }
  return { state, file, open, [Symbol.dispose]: () => directory[Symbol.dispose]() }
}

test('Journal tells the next run which logs are not done, and since when the others are', () => {
  using work = journaled()
  const journal = work.open()
  const [first, second] = [planned('/a/1.log'), planned('/a/2.log')]
  journal.begin(SET, [[first, second]])
  first.onStep?.('done')
  second.onStep?.('truncating')
  journal.close(false)
  const { left } = work.open()
  expect(left?.rotated).toEqual([{ path: '/a/1.log', nowMs: NOW.getTime() }])
  expect(left?.sets).toMatchObject([
    {
      pattern: SET.pattern,
      groups: [{ scripted: false, logs: [{ path: '/a/2.log', steps: ['truncating'] }] }],
    },
  ])
})

test('Journal is there from before the first change until the state is written', () => {
  using work = journaled()
  const journal = work.open()
  expect(existsSync(work.file)).toBe(false)
  journal.begin(SET, [[planned('/a/1.log')]])
  expect(existsSync(work.file)).toBe(true)
  journal.close(true)
  expect(existsSync(work.file)).toBe(false)
})

test('Journal stays when a log is stuck, though the state was written', () => {
  using work = journaled()
  const journal = work.open()
  const stuck = planned('/a/1.log')
  journal.begin(SET, [[stuck]])
  stuck.onStep?.('stuck')
  journal.close(true)
  expect(work.open().left?.sets).toHaveLength(1)
})

test('parseJournal() ends at a line that was cut off', () => {
  const run = formatLine({ kind: 'run', bootId: 'b' })
  const step = formatLine({ kind: 'step', log: 1, step: 'done' })
  for (let length = 0; length < step.length - 1; length++) {
    expect(parseJournal(run + step.slice(0, length))).toMatchObject({ bootId: 'b', sets: [], rotated: [] })
  }
})

test('Journal of another run that is alive is left alone', () => {
  using work = journaled()
  work.open().begin(SET, [[planned('/a/1.log')]])
  expect(Journal.open(work.state)).toBeUndefined()
})

test('logrotate() does not act upon a journal that others can write', async () => {
  using work = journaled()
  writeFileSync(work.file, '')
  chmodSync(work.file, 0o666)
  writeFileSync(`${work.state}.conf`, 'daily\n', { mode: 0o644 })
  let said = ''
  const code = await logrotate(['-s', work.state, `${work.state}.conf`], (text) => {
    said += text
  })
  expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining('no file of this user alone') })
  expect(readFileSync(work.file, 'utf8')).toBe('')
})
