import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { BlockPool } from '../../../plugins/backup/archive/blocks.ts'
import { compress, decompress, FRAME_CONTENT_BYTES } from '../../../plugins/backup/compression.ts'
import { FrameSplitter } from '../../../plugins/backup/zstd-frames.ts'
import { testWith } from '../../kit/needs.ts'
import { collect, pieces } from './streams.ts'

const sample = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251))

async function compressed(content: Uint8Array, level = 3): Promise<Buffer> {
  return collect(compress(pieces(content, FRAME_CONTENT_BYTES), level, new BlockPool(FRAME_CONTENT_BYTES)))
}

test('decompress() gives back what compress() was given, in whatever pieces it comes', async () => {
  const content = Buffer.concat([
    sample,
    Buffer.alloc(2_500_000),
    crypto.getRandomValues(Buffer.alloc(60_000)),
  ])
  const stored = await compressed(content)
  for (const pieceBytes of [999, 65_536, stored.length]) {
    expect((await collect(decompress(pieces(stored, pieceBytes)))).equals(content)).toBe(true)
  }
})

test('compress() keeps the order of its blocks', async () => {
  const content = Buffer.concat(
    Array.from({ length: 12 }, (_, index) => Buffer.alloc(FRAME_CONTENT_BYTES, index)),
  )
  expect((await collect(decompress(pieces(await compressed(content), 65_536)))).equals(content)).toBe(true)
})

testWith({ programs: ['zstd'] })('zstd decompresses what compress() wrote', async () => {
  const content = Buffer.concat([sample, Buffer.alloc(3_000_000, 1)])
  for (const level of [1, 3, 19]) {
    const result = Bun.spawnSync(['zstd', '-d', '-c'], { stdin: await compressed(content, level) })
    expect(result.stderr.toString()).toBe('')
    expect(result.stdout.equals(content)).toBe(true)
  }
})

testWith({ programs: ['zstd'] })(
  'FrameSplitter finds the ends of frames that zstd wrote, with and without checksum',
  () => {
    for (const flags of [['--no-check'], ['--check'], ['-19'], ['-1', '--single-thread']]) {
      const frames = [sample, Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(200_000)].map((content) => {
        const argv = ['zstd', '-c', '-q', `--stream-size=${content.length}`, ...flags]
        return Bun.spawnSync(argv, { stdin: content }).stdout
      })
      const splitter = new FrameSplitter(FRAME_CONTENT_BYTES)
      const found: Uint8Array[] = []
      const stream = Buffer.concat(frames)
      for (let offset = 0; offset < stream.length; offset += 1000) {
        found.push(...splitter.push(stream.subarray(offset, offset + 1000)))
      }
      splitter.finish()
      expect(found.map((frame) => frame.length)).toEqual(frames.map((frame) => frame.length))
    }
  },
)

test('FrameSplitter cuts any stream of frames, in pieces of any size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 700 }),
      (contents, pieceBytes) => {
        const stream = Buffer.concat(contents.map((content) => Bun.zstdCompressSync(content)))
        const splitter = new FrameSplitter(10_000)
        const frames: Uint8Array[] = []
        for (let offset = 0; offset < stream.length; offset += pieceBytes) {
          frames.push(...splitter.push(stream.subarray(offset, offset + pieceBytes)))
        }
        splitter.finish()
        expect(frames.map((frame) => [...Bun.zstdDecompressSync(frame)])).toEqual(
          contents.map((content) => [...content]),
        )
      },
    ),
    { seed: 4, numRuns: 200 },
  )
})

const frame = Buffer.from(Bun.zstdCompressSync(sample))
const withByte = (at: number, value: number) => {
  const changed = Buffer.from(frame)
  changed[at] = value
  return changed
}

test.each<[string, Buffer, string]>([
  ['something else', Buffer.from('not compressed at all'), 'not compressed'],
  ['a frame that is cut off', frame.subarray(0, -1), 'too early'],
  ['a frame with a dictionary', withByte(4, (frame[4] ?? 0) | 1), 'dictionary'],
  ['a frame with a reserved bit', withByte(4, (frame[4] ?? 0) | 8), 'reserved'],
  [
    'a frame that does not tell its size',
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 1, 0, 0]),
    'tell its size',
  ],
])('decompress() refuses %s', async (_what, bytes, reason) => {
  await expect(collect(decompress(pieces(bytes, 100)))).rejects.toThrow(reason)
})

test('decompress() refuses a frame that would grow beyond its size', async () => {
  const bomb = Bun.zstdCompressSync(new Uint8Array(FRAME_CONTENT_BYTES + 1))
  expect(bomb.length).toBeLessThan(1000)
  await expect(collect(decompress(pieces(bomb, 100)))).rejects.toThrow('too large')
})

test('decompress() passes on an error of its source while frames are in work', async () => {
  async function* broken() {
    for (let index = 0; index < 3; index++) yield frame
    throw new Error('the disk is gone')
  }
  await expect(collect(decompress(broken()))).rejects.toThrow('the disk is gone')
})
