import { expect, test } from 'bun:test'
import { checksumOf, encodeEnd, encodeHeader, FIELDS } from '../../../../plugins/backup/archive/header.ts'
import { ArchiveParser } from '../../../../plugins/backup/archive/parser.ts'
import { plainEntry } from './arbitrary.ts'

function parse(...parts: Uint8Array[]): void {
  const parser = new ArchiveParser({ entry: () => {}, data: () => {}, hole: () => {}, entryEnd: () => {} })
  for (const part of parts) parser.push(part)
  parser.finish()
}

/** A header with some bytes changed, and the checksum made right again. */
function forged(
  field: keyof typeof FIELDS,
  text: string,
  header = Buffer.from(encodeHeader(plainEntry())),
): Buffer {
  const forgery = Buffer.from(header)
  forgery.write(text, FIELDS[field][0], 'latin1')
  forgery.write(`${checksumOf(forgery).toString(8).padStart(6, '0')}\0 `, FIELDS.checksum[0], 'latin1')
  return forgery
}

/** An extended header with this body, and a file. */
function extended(body: string): Buffer {
  const header = Buffer.from(encodeHeader(plainEntry({ size: body.length })))
  return Buffer.concat([
    forged('flag', 'x', header),
    Buffer.from(body.padEnd(512, '\0'), 'latin1'),
    encodeHeader(plainEntry()),
  ])
}

test('ArchiveParser gives content in the pieces in which it comes, without its padding', () => {
  const content = Buffer.from('some content')
  const archive = Buffer.concat([
    encodeHeader(plainEntry({ size: content.length })),
    content,
    Buffer.alloc(512 - content.length),
    encodeEnd(),
  ])
  for (const pieceBytes of [1, 7, 511, 512, 513, archive.length]) {
    const calls: string[] = []
    const parser = new ArchiveParser({
      entry: ({ name }) => calls.push(`entry ${name}`),
      data: (chunk) => calls.push(Buffer.from(chunk).toString()),
      hole: () => {},
      entryEnd: () => calls.push('end'),
    })
    for (let offset = 0; offset < archive.length; offset += pieceBytes)
      parser.push(archive.subarray(offset, offset + pieceBytes))
    parser.finish()
    expect(calls[0]).toBe('entry etc/hosts')
    expect(calls.slice(1, -1).join('')).toBe('some content')
    expect(calls.at(-1)).toBe('end')
  }
})

test.each<[string, Uint8Array[], string]>([
  ['an empty stream', [], 'too early'],
  ['a header without an end', [Buffer.from(encodeHeader(plainEntry()))], 'too early'],
  [
    'content that is cut off',
    [Buffer.from(encodeHeader(plainEntry({ size: 5 }))), Buffer.from('abc')],
    'too early',
  ],
  ['a wrong checksum', [Buffer.from(encodeHeader(plainEntry())).fill(1, 0, 1), encodeEnd()], 'checksum'],
  ['another format', [forged('magic', 'ustar  '), encodeEnd()], 'ustar'],
  ['an unknown type', [forged('flag', '7'), encodeEnd()], 'unknown type'],
  ['a sparse file of GNU tar', [forged('flag', 'S'), encodeEnd()], 'unknown type'],
  ['a size that is no number', [forged('size', 'abc')], 'no number'],
  [
    'a directory with content',
    [forged('size', '00000000010', Buffer.from(encodeHeader(plainEntry({ type: 'directory' }))))],
    'contradicts',
  ],
  ['a symlink to nothing', [forged('flag', '2')], 'contradicts'],
  ['a file with the name of a directory', [forged('name', 'etc/hosts/')], 'does not fit'],
  [
    'padding that is not zero',
    [Buffer.from(encodeHeader(plainEntry({ size: 1 }))), Buffer.alloc(512, 1)],
    'padded',
  ],
  ['zeros between entries', [Buffer.alloc(512), Buffer.from(encodeHeader(plainEntry()))], 'in the middle'],
  ['entries after the end', [encodeEnd(), Buffer.from(encodeHeader(plainEntry()))], 'follows the end'],
  ['an extended header that is malformed', [extended('12 path')], 'malformed'],
  ['an extended header with a wrong length', [extended('99 path=a\n')], 'malformed'],
  ['an extended header with an unknown key', [extended('14 GNU.x=abcd\n')], 'unexpected key'],
  ['an extended header with a forbidden key', [extended('12 sha=abcd\n')], 'unexpected key'],
  ['an extended header with a key twice', [extended('9 uid=12\n9 uid=13\n')], 'unexpected key'],
  ['an extended header with a number that is none', [extended('11 uid=-1x\n')], 'number'],
  ['a list of a file that is no directory', [extended('17 GNU.dumpdir=\0\n')], 'contradicts itself'],
  [
    'a sparse file of an unknown format',
    [extended('22 GNU.sparse.major=0\n22 GNU.sparse.minor=1\n'), extended('22 GNU.sparse.name=abc\n')],
    'extended header',
  ],
  [
    'an access control list that is none',
    [extended('29 SCHILY.acl.access=rubbish\n')],
    'access control list',
  ],
  ['an extended header with a time that is none', [extended('12 mtime=1e\n')], 'time'],
])('ArchiveParser refuses %s', (_what, parts, reason) => {
  expect(() => parse(...parts)).toThrow(reason)
})

test('ArchiveParser refuses two extended headers in a row', () => {
  const one = extended('9 uid=12\n').subarray(0, 1024)
  expect(() => parse(one, one)).toThrow('out of place')
})

test('ArchiveParser refuses an extended header of a gigabyte before it is read', () => {
  const header = Buffer.from(encodeHeader(plainEntry({ size: 1024 ** 3 })))
  expect(() => parse(forged('flag', 'x', header))).toThrow('too large')
})
