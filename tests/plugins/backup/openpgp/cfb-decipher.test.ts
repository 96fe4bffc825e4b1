import { expect, test } from 'bun:test'
import { createCipheriv, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { CfbDecipher } from '../../../../plugins/backup/openpgp/cfb-decipher.ts'

test('CfbDecipher gives back what OpenSSL has encrypted, in pieces of any length', () => {
  const pieces = fc.array(fc.oneof(fc.nat(70), fc.nat(5000)), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, (lengths) => {
      const [key, content] = [randomBytes(32), randomBytes(lengths.reduce((sum, length) => sum + length, 0))]
      const cipher = createCipheriv('aes-256-cfb', key, Buffer.alloc(16))
      const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
      const decipher = new CfbDecipher(key)
      let start = 0
      const opened: Uint8Array[] = []
      for (const length of lengths) {
        opened.push(decipher.update(encrypted.subarray(start, start + length)))
        start += length
      }
      expect(Buffer.concat([...opened, decipher.finish()]).equals(content)).toBe(true)
    }),
    { seed: 1, numRuns: 300 },
  )
})
