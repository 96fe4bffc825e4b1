import { afterAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { CompressionTask } from '../../../agent/host/compression.ts'
import { compressor } from '../../../agent/host/compressor.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const directory = temporaryDirectory('compressor')
afterAll(() => directory[Symbol.dispose]())

const LINES = Array.from({ length: 60_000 }, (_, index) => `${index * 7919} GET /item/${index % 500}\n`).join(
  '',
)
const LARGE = Buffer.from(LINES.repeat(3)) // several chunks

let made = 0

function compress(content: Uint8Array, how: CompressionTask['how'], prove = false) {
  const path = `${directory.path}/${made++}`
  writeFileSync(path, content)
  const [source, target] = [openSync(path, 'r'), openSync(`${path}.packed`, 'wx+')]
  try {
    return { result: compressor.start({ source, target, how, prove }).wait(), archive: `${path}.packed` }
  } finally {
    closeSync(source)
    closeSync(target)
  }
}

const unpack = (argv: string[], archive: string) => Bun.spawnSync([...argv, archive]).stdout
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

testWith({ programs: ['gzip'] })(
  'Compressor makes what gzip reads, and says the digests of both sides',
  () => {
    const { result, archive } = compress(LARGE, { format: 'gzip', level: 6 }, true)
    expect(unpack(['gzip', '-dc'], archive).equals(LARGE)).toBe(true)
    const file = readFileSync(archive)
    expect(result).toEqual({
      read: { bytes: LARGE.length, sha256: sha256(LARGE) },
      written: { bytes: file.length, sha256: sha256(file) },
      stderr: '',
    })
  },
)

testWith({ programs: ['zstd'] })('Compressor makes what zstd reads', () => {
  const { archive } = compress(LARGE, { format: 'zstd' }, true)
  expect(unpack(['zstd', '-dcq'], archive).equals(LARGE)).toBe(true)
})

testWith({ programs: ['xz'] })('Compressor runs a program from file to file', () => {
  const { result, archive } = compress(LARGE, { program: 'xz', args: ['-1'] })
  expect(result?.failure).toBeUndefined()
  expect(unpack(['xz', '-dc', '--format=xz'], archive).equals(LARGE)).toBe(true)
})

testWith({ programs: ['gzip'] })('Compressor makes an archive of an empty file', () => {
  const { archive } = compress(new Uint8Array(), { format: 'gzip', level: 6 })
  expect(readFileSync(archive).length).toBeGreaterThan(0)
  expect(unpack(['gzip', '-dc'], archive).length).toBe(0)
})

testWith({ programs: ['gzip'] })('Compressor is no larger than gzip by more than 3 %', () => {
  for (const level of [1, 6, 9]) {
    const { result } = compress(LARGE, { format: 'gzip', level })
    const theirs = Bun.spawnSync(['gzip', `-${level}`, '-c'], { stdin: LARGE }).stdout.length
    const ratio = (result?.written.bytes ?? Number.NaN) / theirs
    expect({ level, isSmall: ratio < 1.03 }).toEqual({ level, isSmall: true })
  }
})

test('Compressor says how a program failed, and what it said', () => {
  const failed = compress(LARGE, { program: '/bin/sh', args: ['-c', 'echo no >&2; exit 3'] }).result
  expect(failed).toMatchObject({ failure: 'failed', stderr: 'no\n' })
  expect(compress(LARGE, { program: '/no/such', args: [] }).result).toMatchObject({ failure: 'not-started' })
})

test('Compressor throws with the errno when the disk is full', () => {
  const path = `${directory.path}/full`
  writeFileSync(path, LARGE)
  const [source, target] = [openSync(path, 'r'), openSync('/dev/full', 'r+')]
  const compression = compressor.start({ source, target, how: { format: 'gzip', level: 6 }, prove: false })
  expect(() => compression.wait()).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
  for (const descriptor of [source, target]) closeSync(descriptor)
})

test('Compressor ends what is cancelled', () => {
  const path = `${directory.path}/cancelled`
  writeFileSync(path, LARGE)
  const [source, target] = [openSync(path, 'r'), openSync(`${path}.gz`, 'wx+')]
  const compression = compressor.start({ source, target, how: { format: 'gzip', level: 9 }, prove: false })
  compression.cancel()
  expect(() => compression.wait()).toThrow('the run was ended')
  for (const descriptor of [source, target]) closeSync(descriptor)
})

test('Compressor works at idle priority, and the rest of the process does not', () => {
  const priority = (thread: string) =>
    Number(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(' ').at(40))
  compress(LARGE, { format: 'gzip', level: 6 })
  const threads = readdirSync('/proc/self/task')
  const SCHED_IDLE = 5
  expect(threads.filter((thread) => priority(thread) === SCHED_IDLE).length).toBeGreaterThanOrEqual(1)
  expect(priority(String(process.pid))).toBe(0)
})
