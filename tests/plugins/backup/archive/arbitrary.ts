import fc from 'fast-check'
import type { ArchiveEntry, EntryType } from '../../../../plugins/backup/archive/entry.ts'

const SECOND = 1_000_000_000n

/** A component of a name as Linux allows it: any bytes but "/" and NUL; those that are no UTF-8 as lone surrogates. */
const component = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...'abc.-_ ~\n"\\äß語😀') },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 0x80, max: 0xff }).map((byte) => String.fromCharCode(0xdc00 + byte)),
      },
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((characters) => characters.join(''))
  // Bytes that happen to be UTF-8 together have another, canonical string.
  .filter((text) => text !== '.' && text !== '..' && !/[\udc80-\udcff]{2}/.test(text))

export const name = fc
  .array(component, { minLength: 1, maxLength: 8 })
  .map((components) => components.join('/'))

const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 4_000_000_000n }).map((seconds) => seconds * SECOND),
  fc.bigInt({ min: -SECOND * 10_000_000_000n, max: SECOND * 10_000_000_000n }),
)
const id = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 4_294_967_294 }))
const owner = fc.oneof(
  fc.constantFrom('', 'root', 'www-data'),
  fc.string({ unit: fc.constantFrom('a', 'é'), maxLength: 40 }),
)

/** An entry without content; sizes belong to files that are written with their content. */
export function entryOf(type: EntryType): fc.Arbitrary<ArchiveEntry> {
  const isLink = type === 'symlink' || type === 'hard-link'
  const isDevice = type === 'block-device' || type === 'character-device'
  return fc.record({
    name,
    type: fc.constant(type),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: id,
    gid: id,
    userName: owner,
    groupName: owner,
    size: fc.constant(0),
    mtimeNs: time,
    linkName: isLink ? name : fc.constant(''),
    deviceMajor: isDevice ? fc.integer({ min: 0, max: 4095 }) : fc.constant(0),
    deviceMinor: isDevice ? fc.integer({ min: 0, max: 1_048_575 }) : fc.constant(0),
  })
}

export const anyEntry = fc.oneof(
  entryOf('file'),
  entryOf('directory'),
  entryOf('symlink'),
  entryOf('hard-link'),
  entryOf('fifo'),
  entryOf('block-device'),
  entryOf('character-device'),
)

/** A plain file, to be changed where a test needs it. */
export function plainEntry(changes: Partial<ArchiveEntry> = {}): ArchiveEntry {
  return {
    name: 'etc/hosts',
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    userName: 'root',
    groupName: 'root',
    size: 0,
    mtimeNs: 1_700_000_000n * SECOND,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
    ...changes,
  }
}
