import { expect, test } from 'bun:test'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { extendedAttributes, setExtendedAttribute } from '../../../agent/host/extended-attributes.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

test('extendedAttributes() lists as many names as there are, of a path and of what is open', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'file')
  writeFileSync(path, 'text')
  const names = Array.from({ length: 36 }, (_, index) => `user.${'n'.repeat(30)}-${index}`)
  for (const name of names) setExtendedAttribute(path, name, Buffer.from('v'))
  const expected = names.toSorted().map((name): [string, Uint8Array] => [name, Uint8Array.of(0x76)])
  expect([...extendedAttributes(path)]).toEqual(expected)
  const descriptor = openSync(path, 'r')
  expect([...extendedAttributes(descriptor)]).toEqual(expected)
  closeSync(descriptor)
})
