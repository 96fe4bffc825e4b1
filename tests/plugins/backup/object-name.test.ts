import { expect, test } from 'bun:test'
import { fullName, incrementName, parseBackupName, sealName } from '../../../plugins/backup/object-name.ts'

const SUNDAY = new Date('2026-11-22T03:15:00.000Z')
const MONDAY = new Date('2026-11-23T03:15:00.000Z')
const FULL = 'web-1-20261122T031500Z-full.tar.zst.gpg'
const FIRST = 'web-1-20261122T031500Z-inc001-20261123T031500Z.tar.zst.gpg'

test('names of a chain sort in the order in which it is restored', () => {
  const chain = 'web-1-20261122T031500Z'
  const names = [fullName('web-1', SUNDAY), ...[1, 2, 10].map((index) => incrementName(chain, index, MONDAY))]
  expect(names.slice(0, 2)).toEqual([FULL, FIRST])
  expect(names.toSorted()).toEqual(names)
})

test('parseBackupName() gives back what a name was made of', () => {
  const chain = 'web-1-20261122T031500Z'
  expect(parseBackupName(FULL)).toEqual({ job: 'web-1', chain, index: 0, createdAt: SUNDAY })
  expect(parseBackupName(FIRST)).toEqual({ job: 'web-1', chain, index: 1, createdAt: MONDAY })
})

test.each([
  'web-1-20261122T031500Z.tar.zst.gpg',
  'web-1-20261122T031500Z-full.sha256.asc',
  'web-1-20261322T031500Z-full.tar.zst.gpg',
  '20261122T031500Z-full.tar.zst.gpg',
  `.${FULL}.tmp`,
])('parseBackupName() takes "%s" for no backup', (name) => {
  expect(parseBackupName(name)).toBeUndefined()
})

test('sealName() is the name of the signed text beside a backup', () => {
  expect(sealName(FULL)).toBe('web-1-20261122T031500Z-full.sha256.asc')
})
