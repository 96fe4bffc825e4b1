import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { formatAcl, parseAcl } from '../../../agent/lib/access-control-list.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const names = {
  userId: (name: string) => ({ ana: 1000, 0: 0, 7: 7 })[name],
  groupId: (name: string) => ({ staff: 50 })[name],
}

test('formatAcl() gives back what parseAcl() took, entries in the order of the kernel', () => {
  const bytes = parseAcl(
    'other::---, user::rw-,group:staff:r-x,u:7:4,user:ana:r--,group::r--,mask::r-x',
    names,
  )
  expect(formatAcl(bytes)).toBe(
    'user::rw-,user:7:r--,user:1000:r--,group::r--,group:50:r-x,mask::r-x,other::---',
  )
})

test.each([
  ['user:nobody:r--', 'there is no user "nobody" on this host'],
  ['group:ana:r--', 'there is no group "ana" on this host'],
  ['mask:ana:r--', '"mask" takes no name'],
  ['user::rwt', 'is no entry'],
  ['', 'is no entry'],
])('parseAcl() refuses "%s"', (text, reason) => {
  expect(() => parseAcl(text, names)).toThrow(reason)
})

test.each([[[]], [[1, 0, 0, 0]], [[2, 0, 0, 0, 1]], [[2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]]])(
  'formatAcl() refuses the bytes %p',
  (bytes) => {
    expect(() => formatAcl(Uint8Array.from(bytes))).toThrow('access control list')
  },
)

testWith({ programs: ['setfacl', 'getfattr'] })('parseAcl() makes the very bytes that setfacl does', () => {
  using directory = temporaryDirectory()
  const file = `${directory.path}/a`
  writeFileSync(file, '')
  const text = 'user::rw-,user:1000:r--,group::r--,group:50:rwx,mask::rwx,other::---'
  const { exitCode, stderr } = Bun.spawnSync(['setfacl', '--set', text, file])
  if (exitCode !== 0) throw new Error(stderr.toString())
  const shown = Bun.spawnSync(['getfattr', '-n', 'system.posix_acl_access', '-e', 'hex', file]).stdout
  const byNumber = { userId: Number, groupId: Number }
  expect(shown.toString()).toContain(`=0x${Buffer.from(parseAcl(text, byNumber)).toString('hex')}\n`)
})
