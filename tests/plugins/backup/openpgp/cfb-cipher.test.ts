import { expect, test } from 'bun:test'
import { createCipheriv, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { CfbCipher } from '../../../../plugins/backup/openpgp/cfb-cipher.ts'

test('CfbCipher encrypts as OpenSSL does, in pieces of any length', () => {
  const pieces = fc.array(fc.oneof(fc.nat(70), fc.nat(5000)), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, (lengths) => {
      const [key, content] = [randomBytes(32), randomBytes(lengths.reduce((sum, length) => sum + length, 0))]
      const library = createCipheriv('aes-256-cfb', key, Buffer.alloc(16))
      const cipher = new CfbCipher(key)
      let start = 0
      const sealed: Uint8Array[] = []
      for (const length of lengths) {
        sealed.push(cipher.update(content.subarray(start, start + length)))
        start += length
      }
      const all = Buffer.concat([...sealed, cipher.finish()])
      expect(all.equals(Buffer.concat([library.update(content), library.final()]))).toBe(true)
    }),
    { seed: 1, numRuns: 300 },
  )
})
