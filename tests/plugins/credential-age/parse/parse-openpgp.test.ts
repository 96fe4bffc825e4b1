import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Member, Unreadable } from '../../../../plugins/credential-age/credential.ts'
import { parseOpenPgpKeys } from '../../../../plugins/credential-age/parse/parse-openpgp.ts'
import { gnuPg, processorClock } from '../material.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-pgp-'))
const NOW = new Date('2027-03-01T12:00:00Z')
const exported: Record<string, Buffer> = {}
/** Key id → when it expires, in seconds as gpg tells it; 0 for never. */
const toldExpiry: Record<string, number> = {}

beforeAll(() => {
  using home = gnuPg(directory)
  const { gpg } = home
  const at = (time: string) => ['--faked-system-time', `${time}!`]
  const fingerprint = (user: string) =>
    gpg('--with-colons', '--list-keys', user)
      .toString()
      .match(/^fpr:+([0-9A-F]{40}):/m)?.[1] ?? ''
  gpg(...at('20270101T000000'), '--quick-gen-key', 'modern@example.org', 'ed25519', 'cert,sign', '1y')
  const modern = fingerprint('modern@example.org')
  gpg(...at('20270101T000000'), '--quick-add-key', modern, 'cv25519', 'encr', '20d')
  gpg(...at('20270110T000000'), '--quick-add-key', modern, 'cv25519', 'encr', '6m')
  gpg(...at('20260101T000000'), '--quick-gen-key', 'forever@example.org', 'rsa2048', 'default', 'never')
  gpg(...at('20260101T000000'), '--quick-gen-key', 'revoked@example.org', 'ed25519', 'cert', 'never')
  const revocation = join(directory, 'gnupg', 'openpgp-revocs.d', `${fingerprint('revoked@example.org')}.rev`)
  const certificate = readFileSync(revocation, 'utf8').replace(':-----BEGIN', '-----BEGIN')
  exported.forever = gpg('--armor', '--export', 'forever@example.org')
  exported.secret = gpg('--armor', '--export-secret-keys', 'forever@example.org')
  exported.modern = gpg('--armor', '--export', 'modern@example.org')
  exported.binary = gpg('--export', 'modern@example.org', 'forever@example.org')
  Bun.write(join(directory, 'revocation.asc'), certificate)
  exported.live = gpg('--armor', '--export', 'revoked@example.org')
  gpg('--import', join(directory, 'revocation.asc'))
  exported.revoked = gpg('--armor', '--export', 'revoked@example.org')
  for (const [, id = '', expiry] of gpg(...at('20270301T120000'), '--with-colons', '--list-keys')
    .toString()
    .matchAll(/^(?:pub|sub):[^:]*:\d+:\d+:([0-9A-F]{16}):\d+:(\d*):/gm)) {
    toldExpiry[id] = Number(expiry)
  }
  exported.keybox = readFileSync(join(directory, 'gnupg', 'pubring.kbx'))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function parse(name: string, now = NOW) {
  return parseOpenPgpKeys(new Uint8Array(exported[name] ?? Buffer.alloc(0)), now)
}

const told = ({ id = '' }: Member) => (toldExpiry[id] ? toldExpiry[id] * 1000 : undefined)

test('gpg tells when the keys of this test expire', () => {
  expect(Object.values(toldExpiry).filter((seconds) => seconds > 0)).toHaveLength(3)
})

test('parseOpenPgpKeys() tells of primary key and subkeys what gpg tells', async () => {
  for (const name of ['modern', 'forever', 'secret', 'binary']) {
    const { members, problems } = await parse(name)
    expect(problems).toEqual([])
    expect(members.map(({ expiresAtMs }) => expiresAtMs)).toEqual(members.map(told))
    expect(members.every(({ confidential }) => confidential === (name === 'secret'))).toBe(true)
  }
  expect((await parse('binary')).members).toHaveLength(4)
  expect((await parse('forever')).members[0]).toMatchObject({ algorithm: 'rsa', bits: 2048, revoked: false })
})

test('parseOpenPgpKeys() takes an expired subkey for superseded when another does its work', async () => {
  const { members } = await parse('modern')
  expect(members.map(({ superseded }) => superseded)).toEqual([undefined, true, false])
  expect(members[1]?.expiresAtMs).toBe(Date.UTC(2027, 0, 21))
})

test('parseOpenPgpKeys() knows a revoked key', async () => {
  expect((await parse('live')).members[0]?.revoked).toBe(false)
  expect((await parse('revoked')).members[0]?.revoked).toBe(true)
})

test('parseOpenPgpKeys() reads all of several armored blocks', async () => {
  const both = Buffer.concat([
    exported.modern ?? Buffer.alloc(0),
    Buffer.from('text\n'),
    exported.forever ?? Buffer.alloc(0),
  ])
  const { members, problems } = await parseOpenPgpKeys(new Uint8Array(both), NOW)
  expect(members).toHaveLength(4)
  expect(problems).toEqual([])
})

test('parseOpenPgpKeys() refuses what is no key', async () => {
  const reason = async (bytes: Uint8Array) => {
    try {
      return (await parseOpenPgpKeys(bytes, NOW)).problems.join()
    } catch (error) {
      expect(error).toBeInstanceOf(Unreadable)
      return error instanceof Error ? error.message : ''
    }
  }
  const armored = exported.modern ?? Buffer.alloc(0)
  expect(await reason(new Uint8Array())).toContain('empty')
  expect(await reason(new Uint8Array(exported.keybox ?? []))).toContain('gpg --export')
  expect(await reason(Buffer.from('hello'))).toContain('cannot be read')
  expect(await reason(armored.subarray(0, armored.length - 60))).toContain('truncated')
  const message = '-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n'
  expect(await reason(Buffer.from(message))).toContain('something else than keys')
})

test('parseOpenPgpKeys() never takes a key without its self-signatures for one that does not expire', async () => {
  const binary = new Uint8Array(exported.binary ?? [])
  for (let length = 1; length < binary.length; length += 13) {
    const { members, problems } = await parseOpenPgpKeys(binary.subarray(0, length), NOW).catch((error) => {
      expect(error).toBeInstanceOf(Unreadable)
      return { members: [], problems: ['refused'] }
    })
    if (problems.length === 0)
      expect(members.map(({ expiresAtMs }) => expiresAtMs)).toEqual(members.map(told))
  }
})

test('parseOpenPgpKeys() believes no expiry whose signature was tampered with', async () => {
  const binary = new Uint8Array(exported.binary ?? [])
  const edit = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
  await fc.assert(
    fc.asyncProperty(edit, async ([at, change]) => {
      const bytes = Uint8Array.from(binary)
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ change
      const { members, problems } = await parseOpenPgpKeys(bytes, NOW).catch((error) => {
        expect(error).toBeInstanceOf(Unreadable)
        return { members: [], problems: ['refused'] }
      })
      if (problems.length > 0) return
      for (const member of members) {
        if (told(member) !== undefined) expect(member.expiresAtMs).toBe(told(member))
      }
    }),
    { seed: 8, numRuns: 150 },
  )
})

test('parseOpenPgpKeys() ends soon on a key that is hostile', async () => {
  // A public key packet (RFC 9580 5.5.2) with a modulus and an exponent of 60,000 bits each.
  const number = Buffer.concat([Buffer.from([0xea, 0x60]), Buffer.alloc(7500, 0xff)])
  const body = Buffer.concat([Buffer.from([4, 0x65, 0, 0, 0, 1]), number, number])
  const packet = (tag: number, content: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(content.length)
    return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), length, content])
  }
  const spentMs = processorClock()
  const { members, problems } = await parseOpenPgpKeys(
    new Uint8Array(Buffer.concat([packet(6, body), packet(13, Buffer.from('x@example.org'))])),
    NOW,
  )
  expect(members).toEqual([])
  expect(problems[0]).toContain('too large')
  const flood = Buffer.concat(Array(2000).fill(exported.forever ?? Buffer.alloc(0)))
  await expect(parseOpenPgpKeys(new Uint8Array(flood), NOW)).rejects.toThrow('more than 200 keys')
  await parseOpenPgpKeys(new Uint8Array(Buffer.alloc(1_000_000, 0xc6)), NOW).catch(() => {})
  expect(spentMs()).toBeLessThan(10_000)
})

test('the keyring of the test was left with no agent behind', () => {
  expect(readdirSync(join(directory, 'gnupg')).filter((name) => name.startsWith('S.gpg-agent'))).toEqual([])
})
