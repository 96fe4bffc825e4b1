import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Unreadable } from '../../../../plugins/credential-age/credential.ts'
import { parseCertificates } from '../../../../plugins/credential-age/parse/parse-certificate.ts'
import { bytesOf, certificate, processorClock, run } from '../material.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-x509-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const file = (name: string) => join(directory, name)

/** notAfter as openssl tells it. */
function enddate(path: string): number {
  return Date.parse(
    run(['openssl', 'x509', '-in', path, '-noout', '-enddate']).toString().slice('notAfter='.length),
  )
}

const leaf = certificate(directory, 'leaf.pem', '-days', '20', '-subj', '/CN=www.example.org/O=Ünïcode')
const der = (path: string) => new Uint8Array(run(['openssl', 'x509', '-in', path, '-outform', 'DER']))

test('parseCertificates() tells validity, key and subject of a certificate in PEM and in DER', () => {
  const inPem = parseCertificates(bytesOf(leaf))
  expect(inPem.problems).toEqual([])
  expect(inPem.members).toHaveLength(1)
  expect(inPem.members[0]).toMatchObject({
    expiresAtMs: enddate(leaf),
    algorithm: 'ec',
    bits: 256,
    confidential: false,
    line: 1,
  })
  expect(inPem.members[0]?.id).toBeUndefined()
  expect(inPem.members[0]?.label).toContain('CN=www.example.org')
  const [inDer] = parseCertificates(der(leaf)).members
  expect(inDer).toEqual({ ...inPem.members[0], line: undefined, confidential: false } as typeof inDer)
})

test('parseCertificates() reads every member of a chain, and text in any character set around them', () => {
  const old = certificate(directory, 'rsa1024.pem', '-newkey', 'rsa:1024', '-days', '40000')
  const text = [Buffer.from('0 s:CN = old, r\xe9sum\xe9\n', 'latin1'), readFileSync(leaf), readFileSync(old)]
  const { members, problems } = parseCertificates(Buffer.concat(text))
  expect(problems).toEqual([])
  expect(members.map(({ id, algorithm, bits }) => [id, algorithm, bits])).toEqual([
    [undefined, 'ec', 256],
    ['2', 'rsa', 1024],
  ])
  expect(members[1]?.expiresAtMs).toBe(enddate(old))
})

test('parseCertificates() reads dates as far as X.509 has them', () => {
  const path = certificate(directory, 'forever.pem', '-days', '2900000')
  const [member] = parseCertificates(bytesOf(path)).members
  expect(member?.expiresAtMs).toBe(enddate(path))
  expect(new Date(member?.expiresAtMs ?? 0).getUTCFullYear()).toBeGreaterThan(9900)
})

test('parseCertificates() knows a bundle with a private key for a secret', () => {
  const bundle = Buffer.concat([readFileSync(leaf), readFileSync(`${leaf}.key`)])
  expect(parseCertificates(bundle).members[0]?.confidential).toBe(true)
})

test('parseCertificates() reads TRUSTED CERTIFICATE and ignores what follows it', () => {
  run(['openssl', 'x509', '-in', leaf, '-addtrust', 'serverAuth', '-trustout', '-out', file('trusted.pem')])
  expect(parseCertificates(bytesOf(file('trusted.pem'))).members[0]?.expiresAtMs).toBe(enddate(leaf))
})

test('parseCertificates() finds a broken signature, but not that of a root', () => {
  const root = certificate(directory, 'root.pem', '-sha1', '-subj', '/CN=root')
  expect(parseCertificates(bytesOf(root)).members[0]?.brokenSignature).toBeUndefined()
  run(['openssl', 'req', '-new', '-key', `${leaf}.key`, '-subj', '/CN=child', '-out', file('child.csr')])
  const sign = ['openssl', 'x509', '-req', '-in', file('child.csr'), '-CA', root, '-CAkey', `${root}.key`]
  run([...sign, '-CAcreateserial', '-sha1', '-out', file('child.pem')])
  expect(parseCertificates(bytesOf(file('child.pem'))).members[0]?.brokenSignature).toMatch(/sha1/i)
  run([...sign, '-CAcreateserial', '-sha256', '-out', file('good.pem')])
  expect(parseCertificates(bytesOf(file('good.pem'))).members[0]?.brokenSignature).toBeUndefined()
})

test('parseCertificates() shows a name with a NUL or control characters as one clean line', () => {
  const bytes = Buffer.from(der(certificate(directory, 'nul.pem', '-subj', '/CN=bankX.evilY.example')))
  const at = bytes.indexOf('bankX.evilY.example')
  for (let from = at; from >= 0; from = bytes.indexOf('bankX', from + 1)) {
    bytes[from + 4] = 0
    bytes[from + 10] = 0x0a
  }
  const [member] = parseCertificates(bytes).members
  expect(member?.label).toBe('CN=bank\\00.evil\\0A.example')
  expect(member?.expiresAtMs).toBe(enddate(file('nul.pem')))
})

test('parseCertificates() says that the strength of a strange key is unknown, and still tells the expiry', () => {
  const path = certificate(
    directory,
    'brainpool.pem',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:brainpoolP256r1',
  )
  const [member] = parseCertificates(bytesOf(path)).members
  expect(member).toMatchObject({ algorithm: 'unknown', expiresAtMs: enddate(path) })
})

test('parseCertificates() refuses what is no certificate', () => {
  const p12 = ['openssl', 'pkcs12', '-export', '-in', leaf, '-inkey', `${leaf}.key`, '-passout', 'pass:abc']
  run([...p12, '-out', file('store.p12')])
  const message = (bytes: Uint8Array) => {
    try {
      return parseCertificates(bytes).problems.join()
    } catch (error) {
      expect(error).toBeInstanceOf(Unreadable)
      return error instanceof Error ? error.message : ''
    }
  }
  expect(message(new Uint8Array())).toContain('empty')
  expect(message(bytesOf(file('store.p12')))).toContain('PKCS#12')
  expect(message(Buffer.from('hello'))).toContain('no certificate in it')
  expect(message(bytesOf(`${leaf}.key`))).toContain('no certificate in it')
  expect(message(Buffer.concat([der(leaf), Buffer.from('x')]))).toContain('something follows')
  expect(message(der(leaf).subarray(0, 200))).toContain('truncated')
  expect(message(Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n'))).toContain('truncated')
  expect(message(Buffer.from('-----BEGIN CERTIFICATE-----\nA!\n-----END CERTIFICATE-----\n'))).toContain(
    'base64',
  )
  expect(message(Buffer.from('-----END CERTIFICATE-----\n-----BEGIN '))).toContain('not begun')
})

test('parseCertificates() reads the good members of a chain with a bad one', () => {
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  writeFileSync(file('mixed.pem'), bad + readFileSync(leaf, 'utf8'))
  const { members, problems } = parseCertificates(bytesOf(file('mixed.pem')))
  expect(members.map(({ id, line }) => [id, line])).toEqual([['2', 4]])
  expect(problems).toHaveLength(1)
})

test('parseCertificates() throws nothing but Unreadable, whatever is done to a certificate', () => {
  const originals = [bytesOf(leaf), der(leaf)]
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.nat({ max: 1 }), edits, fc.nat(), (which, changes, cut) => {
      const bytes = Uint8Array.from(originals[which] ?? [])
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      const part = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes
      try {
        const { members } = parseCertificates(part)
        for (const { expiresAtMs } of members) expect(Number.isFinite(expiresAtMs)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(Unreadable)
      }
    }),
    { seed: 6, numRuns: 2000 },
  )
})

test('parseCertificates() ends soon on a PEM bomb', () => {
  const one = readFileSync(leaf, 'utf8')
  const spentMs = processorClock()
  expect(() => parseCertificates(Buffer.from(one.repeat(1700)))).toThrow('more than 1000 PEM blocks')
  expect(() =>
    parseCertificates(Buffer.from('-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'.repeat(9000))),
  ).not.toThrow()
  const large = `-----BEGIN CERTIFICATE-----\n${'MIIA'.repeat(250_000)}\n-----END CERTIFICATE-----\n`
  expect(parseCertificates(Buffer.from(large)).problems).toHaveLength(1)
  expect(spentMs()).toBeLessThan(3000)
})
