import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKey } from 'openpgp'
import { judgeKeyFile } from '../../../plugins/backup/recipients.ts'
import { testWith } from '../../kit/needs.ts'
import { GnuPg } from './gnupg.ts'

setDefaultTimeout(60_000)
const withGpg = testWith({ programs: ['gpg'] })
const NOW = new Date('2026-11-23T03:15:00Z')
let gnupg: GnuPg | undefined
beforeAll(() => {
  if (Bun.which('gpg')) gnupg = new GnuPg()
})
afterAll(() => gnupg?.[Symbol.dispose]())

/** The public keys of these users, as gpg exports them. */
function exported(userIds: string[], armor = false): Uint8Array {
  if (!gnupg) throw new Error('there is no gpg')
  const path = join(gnupg.home, 'exported')
  gnupg.exportPublic(path, userIds, { armor })
  return readFileSync(path)
}

function home(): GnuPg {
  if (!gnupg) throw new Error('there is no gpg')
  return gnupg
}

withGpg('judgeKeyFile() accepts keys of GnuPG, binary and armoured, one and several', async () => {
  const curve = home().makeKey('Curve <curve@example.org>')
  const rsa = home().makeKey('Rsa <rsa@example.org>', {
    algorithm: 'rsa2048',
    subkey: 'rsa2048',
    expire: '8y',
  })
  for (const armor of [false, true]) {
    const both = await judgeKeyFile(
      '/k',
      exported(['curve@example.org', 'rsa@example.org'], armor),
      undefined,
      NOW,
    )
    expect(both.map(({ fingerprint }) => fingerprint).sort()).toEqual([curve, rsa].sort())
    const [one] = await judgeKeyFile(
      '/k',
      exported(['curve@example.org', 'rsa@example.org'], armor),
      rsa,
      NOW,
    )
    expect(one?.userId).toBe('Rsa <rsa@example.org>')
    expect(one?.expiresAt?.toISOString().slice(0, 10)).toBe('2027-12-30')
    expect(one?.encryptionKeyId).toMatch(/^[0-9a-f]{16}$/)
  }
})

withGpg('judgeKeyFile() takes the earlier end of key and subkey', async () => {
  const fingerprint = home().makeKey('Sooner <sooner@example.org>', { subkey: null })
  const at = ['--faked-system-time', '20200101T000000']
  home().run([...at, '--quick-add-key', fingerprint, 'cv25519', 'encr', '2026-12-03'])
  const [recipient] = await judgeKeyFile('/k', exported(['sooner@example.org']), undefined, NOW)
  expect(recipient?.expiresAt?.toISOString().slice(0, 10)).toBe('2026-12-03')
})

withGpg('judgeKeyFile() refuses a key that cannot encrypt', async () => {
  home().makeKey('Signs <signs@example.org>', { subkey: null })
  await expect(judgeKeyFile('/k', exported(['signs@example.org']), undefined, NOW)).rejects.toThrow(
    'it has no valid subkey for encryption',
  )
})

withGpg('judgeKeyFile() refuses an expired key', async () => {
  home().makeKey('Old <old@example.org>', { expire: '1y' })
  await expect(judgeKeyFile('/k', exported(['old@example.org']), undefined, NOW)).rejects.toThrow('expired')
})

withGpg('judgeKeyFile() refuses a revoked key', async () => {
  home().revoke(home().makeKey('Revoked <revoked@example.org>'))
  await expect(judgeKeyFile('/k', exported(['revoked@example.org']), undefined, NOW)).rejects.toThrow(
    'revoked',
  )
})

withGpg('judgeKeyFile() refuses an RSA key of 1024 bits', async () => {
  home().makeKey('Weak <weak@example.org>', { algorithm: 'rsa1024', subkey: 'rsa1024' })
  await expect(judgeKeyFile('/k', exported(['weak@example.org']), undefined, NOW)).rejects.toThrow('too weak')
})

withGpg('judgeKeyFile() refuses a private key: the host shall not be able to decrypt', async () => {
  const path = join(home().home, 'secret')
  home().makeKey('Private <private@example.org>')
  home().exportSecret(path, 'private@example.org')
  await expect(judgeKeyFile('/k', readFileSync(path), undefined, NOW)).rejects.toThrow('private key')
})

withGpg('judgeKeyFile() refuses a file without the key that is pinned', async () => {
  home().makeKey('Other <other@example.org>')
  await expect(judgeKeyFile('/k', exported(['other@example.org']), 'f'.repeat(40), NOW)).rejects.toThrow(
    'was it replaced?',
  )
})

test('judgeKeyFile() refuses kinds of keys that GnuPG 2.2 cannot use', async () => {
  const version6 = await generateKey({
    userIDs: [{ name: 'Six' }],
    type: 'curve25519',
    format: 'binary',
    config: { v6Keys: true },
  })
  await expect(judgeKeyFile('/k', version6.publicKey, undefined, new Date())).rejects.toThrow('version 6')
  const modern = await generateKey({ userIDs: [{ name: 'Modern' }], type: 'curve25519', format: 'binary' })
  await expect(judgeKeyFile('/k', modern.publicKey, undefined, new Date())).rejects.toThrow(
    'GnuPG 2.2 cannot decrypt',
  )
})

test.each<[string, Uint8Array]>([
  ['text', Buffer.from('no key')],
  ['nothing', Buffer.alloc(0)],
  ['a torn armour', Buffer.from('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEaA')],
])('judgeKeyFile() refuses %s', async (_what, bytes) => {
  await expect(judgeKeyFile('/k', bytes, undefined, NOW)).rejects.toThrow()
})
