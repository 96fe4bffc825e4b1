import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isSecurity, knownAsOf, parseRelease } from '../../../plugins/updates/apt-lists.ts'
import { type InstalledPackage, parseInstalled } from '../../../plugins/updates/packages.ts'
import {
  judgePending,
  type Pending,
  PendingCollector,
  rememberPending,
} from '../../../plugins/updates/pending.ts'
import { field, StanzaReader } from '../../../plugins/updates/stanzas.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2027-01-15T08:00:00Z')

test('StanzaReader gives the same entries however the file is cut', () => {
  const text = 'Package: a\nVersion: 1\n\nPackage: b\nDescription: x\n y\n\n\nPackage: c\n'
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const taken: string[] = []
      const reader = new StanzaReader((stanza) => taken.push(stanza))
      const bytes = Buffer.from(text)
      const buffer = new Uint8Array(20)
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const part = bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1))
        buffer.set(part)
        reader.add(buffer.subarray(0, part.length))
        at += part.length
      }
      reader.end()
      expect(taken.map((stanza) => field(stanza, 'Package'))).toEqual(['a', 'b', 'c'])
    }),
    { seed: 7, numRuns: 200 },
  )
})

test('StanzaReader refuses a file without an end of its entries', () => {
  const reader = new StanzaReader(() => {})
  const endless = () => {
    for (let count = 0; count < 3; count++) reader.add(new Uint8Array(1024 * 1024).fill(65))
  }
  expect(endless).toThrow('has no end')
})

test('field() takes a field of its own line only', () => {
  expect(field('Package: a\nDescription: b\n Version: 9\nVersion: 1', 'Version')).toBe('1')
  expect(field('Package: a', 'Version')).toBeUndefined()
})

const stanza = (more: Record<string, string> = {}) =>
  Object.entries({
    Package: 'openssl',
    Status: 'install ok installed',
    Architecture: 'amd64',
    Version: '3.0.1-1',
    ...more,
  })
    .map(([key, value]) => `${key}: ${value}`)
    .join('\n')

test.each<[string, Record<string, string>, Partial<InstalledPackage> | undefined]>([
  ['an installed one', {}, { name: 'openssl', source: 'openssl', isHeld: false }],
  ['one of another source', { Source: 'openssl-src (3.0)' }, { source: 'openssl-src' }],
  ['one on hold', { Status: 'hold ok installed' }, { isHeld: true }],
  ['one that is removed', { Status: 'deinstall ok config-files' }, undefined],
  ['one half installed', { Status: 'install reinstreq half-installed' }, undefined],
])('parseInstalled() of %s', (_, more, expected) => {
  const parsed = parseInstalled(stanza(more))
  if (expected) expect(parsed).toMatchObject(expected)
  else expect(parsed).toBeUndefined()
})

function collected(installed: Record<string, string>[], available: Record<string, string>[]): string[] {
  const packages = new Map(
    installed.flatMap((more) => {
      const one = parseInstalled(stanza(more))
      return one ? [[`${one.name}:${one.architecture}`, one] as const] : []
    }),
  )
  const collector = new PendingCollector(packages)
  for (const more of available) collector.take(stanza(more))
  return collector
    .result()
    .map(({ name, architecture, available: version }) => `${name}:${architecture} ${version}`)
}

test.each<[string, Record<string, string>[], Record<string, string>[], string[]]>([
  ['newer', [{}], [{ Version: '3.0.1-1+deb12u1' }], ['openssl:amd64 3.0.1-1+deb12u1']],
  ['the same', [{}], [{}], []],
  ['older', [{ Version: '3.0.2-1' }], [{}], []],
  ['of another architecture', [{}], [{ Architecture: 'arm64', Version: '9' }], []],
  ['for all architectures now', [{}], [{ Architecture: 'all', Version: '9' }], ['openssl:amd64 9']],
  ['the newest of two', [{}], [{ Version: '4' }, { Version: '3.5' }], ['openssl:amd64 4']],
  ['not installed', [], [{ Version: '4' }], []],
  [
    'of both architectures',
    [{}, { Architecture: 'i386' }],
    [{ Version: '4' }, { Version: '4', Architecture: 'i386' }],
    ['openssl:amd64 4', 'openssl:i386 4'],
  ],
])('PendingCollector takes what is %s as it should', (_, installed, available, expected) => {
  expect(collected(installed, available)).toEqual(expected)
})

const pending = (more: Partial<Pending> = {}): Pending => ({
  name: 'libssl3',
  architecture: 'amd64',
  source: 'openssl',
  installed: '1',
  available: '2',
  isHeld: false,
  ...more,
})

test('an update is overdue by the day on which it was first seen, and a newer one of the same package keeps that day', () => {
  const first = rememberPending([pending()], {}, NOW)
  const grace = 7 * DAY_MS
  expect(judgePending([pending()], first, grace, NOW)).toMatchObject([
    { rule: 'security-update-pending', severity: 'info' },
  ])
  const later = rememberPending([pending({ available: '3' })], first, NOW + 8 * DAY_MS)
  expect(later).toEqual(first)
  expect(judgePending([pending()], later, grace, NOW + 8 * DAY_MS)).toMatchObject([
    { rule: 'security-update-overdue', severity: 'warning', subject: 'openssl' },
  ])
  expect(judgePending([pending()], later, grace, NOW + 31 * DAY_MS)[0]?.severity).toBe('critical')
  expect(rememberPending([], later, NOW)).toEqual({})
})

test('a clock that was ahead makes no update younger', () => {
  expect(rememberPending([pending()], { 'libssl3:amd64': NOW + DAY_MS }, NOW)).toEqual({
    'libssl3:amd64': NOW,
  })
})

test('judgePending() makes one finding of a source, tells what is on hold, and is bounded', () => {
  const all = [pending(), pending({ name: 'openssl', isHeld: true })]
  const [finding, ...more] = judgePending(all, {}, DAY_MS, NOW)
  expect(more).toEqual([])
  expect(finding?.remedy).toBe('apt-mark unhold openssl && apt-get install --only-upgrade libssl3 openssl')
  const many = Array.from({ length: 1000 }, (_, index) => pending({ source: `s${index}`, name: `n${index}` }))
  const findings = judgePending(many, {}, DAY_MS, NOW)
  expect(findings).toHaveLength(201)
  expect(findings.at(-1)?.summary).toContain('800 further')
})

const release = (fields: Record<string, string>) => ({
  prefix: '',
  fetchedMs: 0,
  ...parseRelease(
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${Object.entries(fields)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('')}`,
  ),
})

test.each<[string, Record<string, string>, boolean]>([
  [
    'Debian’s',
    {
      Origin: 'Debian',
      Label: 'Debian-Security',
      Suite: 'oldstable-security',
      Codename: 'bookworm-security',
    },
    true,
  ],
  ['Ubuntu’s', { Origin: 'Ubuntu', Label: 'Ubuntu', Suite: 'jammy-security', Codename: 'jammy' }, true],
  ['Ubuntu’s extended ones', { Origin: 'UbuntuESMApps', Suite: 'jammy-apps-security' }, true],
  ['old Debian’s', { Label: 'Debian-Security', Suite: 'buster/updates' }, true],
  ['Debian itself', { Origin: 'Debian', Label: 'Debian', Suite: 'stable', Codename: 'bookworm' }, false],
  ['another one', { Origin: 'security tools', Suite: 'stable' }, false],
])('isSecurity() of %s', (_, fields, expected) => expect(isSecurity(release(fields))).toBe(expected))

const at = (days: number) => NOW - days * DAY_MS
test.each<[string, Parameters<typeof knownAsOf>[0], number | undefined, number]>([
  ['its date', { dateMs: at(1), validUntilMs: undefined, fetchedMs: at(9) }, undefined, 1],
  ['when its file came', { dateMs: at(5), validUntilMs: undefined, fetchedMs: at(2) }, undefined, 2],
  [
    'the last update that succeeded',
    { dateMs: at(5), validUntilMs: undefined, fetchedMs: at(5) },
    at(0.5),
    0.5,
  ],
  [
    'its date, when it is no longer valid',
    { dateMs: at(8), validUntilMs: at(1), fetchedMs: at(0) },
    at(0),
    8,
  ],
  [
    'its date, when it has been silent for weeks',
    { dateMs: at(20), validUntilMs: undefined, fetchedMs: at(0) },
    at(0),
    20,
  ],
  ['now at the latest', { dateMs: at(1), validUntilMs: undefined, fetchedMs: at(-3) }, undefined, 0],
  [
    'never, without a date',
    { dateMs: undefined, validUntilMs: undefined, fetchedMs: at(0) },
    at(0),
    NOW / DAY_MS,
  ],
])('knownAsOf() is %s', (_, source, success, days) => {
  expect((NOW - knownAsOf(source, success, NOW)) / DAY_MS).toBeCloseTo(days, 5)
})
