import { expect, test } from 'bun:test'
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { encodeFrame, readFrame } from '../../../agent/worker/protocol.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

/** Reads from a file as from a pipe: in order, each byte once. */
function reading<T>(bytes: Uint8Array, body: (descriptor: number) => T): T {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'frames')
  writeFileSync(path, bytes)
  const descriptor = openSync(path, 'r')
  try {
    return body(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

test('readFrame() gives back what encodeFrame() took, frame by frame', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 }), (values) => {
      const json = values.map((value) => JSON.parse(JSON.stringify(value)))
      reading(Buffer.concat(json.map(encodeFrame)), (descriptor) => {
        for (const value of json) expect(readFrame<unknown>(descriptor)).toEqual(value)
      })
    }),
    { seed: 20260304, numRuns: 100 },
  )
})

test('readFrame() leaves all that follows the frame for the next reader', () => {
  reading(Buffer.concat([encodeFrame({ first: 1 }), Buffer.from('the rest')]), (descriptor) => {
    readFrame(descriptor)
    const rest = Buffer.alloc(100)
    expect(rest.subarray(0, readSync(descriptor, rest)).toString()).toBe('the rest')
  })
})

for (const length of [0, 3, 4, 10]) {
  test(`readFrame() throws when the pipe ends after ${length} bytes`, () => {
    const frame = encodeFrame({ text: 'long enough to be cut' })
    reading(frame.subarray(0, length), (descriptor) => {
      expect(() => readFrame(descriptor)).toThrow('the pipe ended in its middle')
    })
  })
}

test('encodeFrame() counts bytes, not characters', () => {
  const frame = encodeFrame('ä€😀')
  expect(Buffer.from(frame).readUInt32LE(0)).toBe(frame.length - 4)
})
