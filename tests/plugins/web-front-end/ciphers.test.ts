import { expect, test } from 'bun:test'
import { weakKinds } from '../../../plugins/web-front-end/ciphers.ts'
import { testWith } from '../../kit/needs.ts'

const LISTS: [list: string, weak: string[]][] = [
  ['HIGH:!aNULL:!MD5', []],
  ['HIGH', ['aNULL']],
  ['DEFAULT', []],
  ['ALL:!aNULL:!3DES:!RC4', []],
  ['ECDHE+AESGCM:DHE+AESGCM', []],
  ['EECDH+AESGCM:EDH+AESGCM', []],
  ['ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305', []],
  ['AES128+SHA', ['aNULL']],
  ['kEECDH+AES:!aNULL', []],
  ['ADH-AES128-SHA', ['aNULL']],
  ['NULL-SHA256', ['eNULL']],
  ['eNULL:!aNULL', ['eNULL']],
  ['aNULL', ['aNULL', 'eNULL']],
  ['HIGH:-aNULL', []],
  ['@SECLEVEL=2:HIGH:!aNULL', []],
]

test.each([
  ...LISTS.filter(([list]) => list !== 'aNULL'),
  ['DES-CBC3-SHA', ['triple']],
  ['RC4-SHA', ['RC4']],
  ['RC4-MD5', ['RC4', 'MD5']],
  ['MEDIUM:!aNULL', ['triple', 'RC4']],
  ['EXP-RC4-MD5', ['export', 'RC4', 'MD5']],
  ['HIGH:!aNULL:3DES', ['triple']],
] as [string, string[]][])('weakKinds() finds in %s what is weak: %p', (list, weak) => {
  const kinds = weakKinds(list)
  expect([list, kinds.length]).toEqual([list, weak.length])
  for (const [index, word] of weak.entries()) expect(kinds[index]).toContain(word)
})

testWith({ programs: ['openssl'] })(
  'weakKinds() says of authentication and encryption what OpenSSL does',
  () => {
    for (const [list] of LISTS) {
      const { stdout } = Bun.spawnSync(['openssl', 'ciphers', '-v', `${list}:@SECLEVEL=0`])
      const suites = stdout.toString()
      const kinds = weakKinds(list).join(' ')
      expect([list, kinds.includes('aNULL'), kinds.includes('eNULL')]).toEqual([
        list,
        suites.includes('Au=None'),
        suites.includes('Enc=None'),
      ])
    }
  },
)
