import { parseOpenPgp } from './openpgp.ts'

/** What a file is, by what it begins with. */
export type Format =
  | { kind: 'encrypted'; by: string; cipher?: string | undefined; weakness?: string | undefined }
  /** Readable by anybody who has the file. */
  | { kind: 'plain'; what: string; archive?: 'tar' | undefined; packing?: Packing | undefined }
  | { kind: 'unknown'; why: string }

export type Packing = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'lz4'

/** As much of a file as is needed to tell: OpenPGP has a packet for each recipient. */
export const HEAD_BYTES = 16_384

const PACKINGS: [magic: number[], packing: Packing][] = [
  [[0x1f, 0x8b], 'gzip'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'xz'],
  [[0x42, 0x5a, 0x68], 'bzip2'],
  [[0x04, 0x22, 0x4d, 0x18], 'lz4'],
]
const OTHERS: [magic: number[] | string, what: string][] = [
  ['SQLite format 3\0', 'a SQLite database'],
  ['PGDMP', 'a dump of PostgreSQL'],
  ['%PDF-', 'a PDF'],
  ['Rar!', 'a RAR archive'],
  ['070701', 'a cpio archive'],
  ['hsqs', 'a squashfs image'],
  ['QFI\xfb', 'a disk image (qcow2)'],
  ['KDMV', 'a disk image (VMDK)'],
]

/** Pure: what a file is that begins like this. `bytes` is the size of all of it. */
export function sniff(head: Uint8Array, bytes: number): Format {
  if (bytes === 0) return { kind: 'unknown', why: 'it is empty' }
  const text = Buffer.from(head).toString('latin1')
  const openPgp = parseOpenPgp(head)
  if (openPgp) return openPgp
  if (text.startsWith('age-encryption.org/v1\n') || text.startsWith('-----BEGIN AGE ENCRYPTED FILE-----')) {
    return { kind: 'encrypted', by: 'age', cipher: 'ChaCha20-Poly1305' }
  }
  if (text.startsWith('LUKS\xba\xbe')) return { kind: 'encrypted', by: 'LUKS', cipher: luksCipher(text) }
  if (text.startsWith('Salted__')) {
    return { kind: 'encrypted', by: 'openssl enc', weakness: 'a change of it would not be noticed' }
  }
  if (text.startsWith('PK\x03\x04')) return zip(head)
  const packing = PACKINGS.find(([magic]) => magic.every((byte, at) => head[at] === byte))?.[1]
  if (packing) return { kind: 'plain', what: `packed by ${packing}`, packing }
  if (text.slice(257, 262) === 'ustar')
    return { kind: 'plain', what: 'a tar archive', archive: 'tar', packing: 'none' }
  const other = OTHERS.find(([magic]) => typeof magic === 'string' && text.startsWith(magic))
  if (other) return { kind: 'plain', what: other[1] }
  if (isText(head)) return { kind: 'plain', what: 'text' }
  return { kind: 'unknown', why: 'it is of no format that is known' }
}

/** The name of the cipher stands in the header of version 1 (cryptsetup's LUKS on-disk format). */
function luksCipher(text: string): string | undefined {
  if (text.charCodeAt(7) !== 1) return undefined
  const word = (from: number) => text.slice(from, from + 32).replace(/\0.*$/s, '')
  return `${word(8)}-${word(40)}`
}

/** Bit 0 of the flags of the first file tells that it is encrypted; method 99 is AES (PKWARE's APPNOTE). */
function zip(head: Uint8Array): Format {
  const isEncrypted = ((head[6] ?? 0) & 1) !== 0
  if (!isEncrypted) return { kind: 'plain', what: 'a zip archive' }
  const method = (head[8] ?? 0) | ((head[9] ?? 0) << 8)
  if (method === 99)
    return { kind: 'encrypted', by: 'zip', cipher: 'AES', weakness: 'the names in it are readable' }
  return { kind: 'encrypted', by: 'zip', cipher: 'ZipCrypto', weakness: 'ZipCrypto is broken' }
}

function isText(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('utf8')
  const strange = [...text.slice(0, -4)].filter((character) => {
    const code = character.codePointAt(0) ?? 0
    return (code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) || code === 0xfffd
  })
  return strange.length === 0
}
