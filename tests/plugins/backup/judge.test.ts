import { expect, test } from 'bun:test'
import type { ArchiveSummary } from '../../../plugins/backup/archive/manifest.ts'
import { configSchema } from '../../../plugins/backup/config.ts'
import {
  type DestinationState,
  judge,
  type ObjectState,
  type Observation,
  type ObservedDestination,
} from '../../../plugins/backup/judge.ts'
import type { Recipient } from '../../../plugins/backup/recipients.ts'
import type { BackupCopy, BackupRecord } from '../../../plugins/backup/records.ts'
import { rules } from '../../../plugins/backup/rules.ts'

const NOW = new Date('2026-11-23T03:15:00Z')
const HOUR_MS = 3_600_000
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS).toISOString()
const inDays = (days: number) => new Date(NOW.getTime() + days * 24 * HOUR_MS)

function record(
  changes: Partial<BackupRecord & BackupCopy> = {},
  problems: Partial<ArchiveSummary['problems']> = {},
): BackupRecord {
  const { provenAt, failure = null, isLeaving = false, ...rest } = changes
  return {
    name: 'etc-20261123T021500Z-full.tar.zst.gpg',
    createdAt: hoursAgo(1),
    chain: { full: 'etc-20261123T021500Z-full.tar.zst.gpg', index: 0, previous: null },
    stored: { bytes: 1000, sha256: 'a'.repeat(64) },
    seal: null,
    copies: [
      {
        destination: '/srv/backup',
        mtimeMs: 1,
        provenAt: provenAt === undefined ? hoursAgo(1) : provenAt,
        failure,
        isLeaving,
        proofMs: 10,
      },
    ],
    recipients: [],
    hasPassphrase: true,
    dumps: {},
    durationMs: 1000,
    summary: {
      entries: 3,
      contentBytes: 10,
      sha256: 'b'.repeat(64),
      problems: { count: 0, first: [], ...problems },
    },
    ...rest,
  }
}

function recipient(expiresAt: Date | undefined): Recipient {
  return {
    file: '/etc/reeve/key.asc',
    fingerprint: 'f'.repeat(40),
    userId: 'Ops <ops@example.org>',
    encryptionKeyId: 'e'.repeat(16),
    expiresAt,
    key: undefined as unknown as Recipient['key'], // judging looks at what was read from it only
  }
}

function configOf(sources: object) {
  return configSchema.parse({
    sources,
    passphrase: 'env:PASSPHRASE',
    destinations: [{ name: 'disk', type: 'directory', directory: '/srv/backup' }],
  })
}

/** A host on which all is well, with some changes. */
function seen({
  destination,
  records,
  ...changes
}: Partial<Observation> & {
  destination?: DestinationState
  records?: ObservedDestination['records']
} = {}): Observation {
  const location = '/srv/backup'
  return {
    now: NOW,
    job: 'etc',
    config: configOf({ paths: ['/etc', '/srv/data'] }),
    recipients: { usable: [recipient(undefined)], refused: [] },
    missingSources: [],
    linkedSources: [],
    destinations: [
      {
        config: { name: 'disk', type: 'directory', directory: location },
        location,
        state: destination ?? { kind: 'ready', exposure: undefined, freeBytes: 1_000_000 },
        records: records ?? [{ record: record(), object: 'whole', isSealed: true }],
      },
    ],
    ...changes,
  }
}

const withRecord = (
  changes: Partial<BackupRecord & BackupCopy>,
  object: ObjectState = 'whole',
  isSealed = true,
) => seen({ records: [{ record: record(changes), object, isSealed }] })

test('judge() is silent where all is well', () => {
  expect(judge(seen())).toEqual([])
})

test.each<[string, string, Observation]>([
  ['20 hours old', 'nothing', withRecord({ createdAt: hoursAgo(20) })],
  ['21 hours old', 'backup-due', withRecord({ createdAt: hoursAgo(21) })],
  ['two days old', 'backup-due', withRecord({ createdAt: hoursAgo(48) })],
  ['49 hours old', 'backup-overdue', withRecord({ createdAt: hoursAgo(49) })],
  ['three minutes in the future', 'nothing', withRecord({ createdAt: hoursAgo(-0.05) })],
  ['two years in the future', 'backup-due', withRecord({ createdAt: hoursAgo(-17_520) })],
])('judge() of a backup that is %s: %s', (_what, rule, observation) => {
  const expected = rule === 'nothing' ? [] : [[rule, true]]
  expect(judge(observation).map((finding) => [finding.rule, finding.fixable])).toEqual(expected)
})

test.each<[string, Observation]>([
  ['there is none', seen({ records: [] })],
  ['the only one was never proven', withRecord({ provenAt: null })],
  ['the only one is gone', withRecord({}, 'missing')],
  ['the only one is damaged', withRecord({}, 'damaged')],
])('judge() calls for a backup when %s', (_what, observation) => {
  const overdue = judge(observation).find(({ rule }) => rule === 'backup-overdue')
  expect(overdue?.severity).toBe('critical')
  expect(overdue?.fixable).toBe(true)
})

test.each<[string, Parameters<typeof seen>[0]]>([
  ['a recipient is refused', { recipients: { usable: [], refused: [{ file: '/k', reason: 'expired' }] } }],
  ['the destination is missing', { destination: { kind: 'unavailable', reason: 'no such directory' } }],
  ['no source is there', { missingSources: ['/etc', '/srv/data'] }],
])('judge() calls for no backup that cannot be made: %s', (_what, changes) => {
  const overdue = judge(seen({ records: [], ...changes })).find(({ rule }) => rule === 'backup-overdue')
  expect(overdue?.fixable).toBe(false)
})

test.each<[string, object]>([
  ['databases', { databases: ['/var/lib/app.db'] }],
  ['dumps', { dumps: [{ name: 'app.sql', command: ['/usr/bin/pg_dump'] }] }],
])('judge() calls for a backup where there are only %s', (_what, sources) => {
  const overdue = judge(seen({ records: [], config: configOf(sources) })).find(
    ({ rule }) => rule === 'backup-overdue',
  )
  expect(overdue?.fixable).toBe(true)
})

test.each<[keyof typeof rules, Observation, string]>([
  [
    'proof-failed',
    withRecord({ provenAt: null, failure: 'its end is misplaced' }),
    '/srv/backup/etc-20261123T021500Z-full.tar.zst.gpg',
  ],
  ['backup-missing', withRecord({}, 'missing'), '/srv/backup/etc-20261123T021500Z-full.tar.zst.gpg'],
  ['seal-missing', withRecord({}, 'whole', false), '/srv/backup/etc-20261123T021500Z-full.tar.zst.gpg'],
  ['backup-damaged', withRecord({}, 'damaged'), '/srv/backup/etc-20261123T021500Z-full.tar.zst.gpg'],
  ['source-is-link', seen({ linkedSources: [{ path: '/var/www', target: '/data/www' }] }), '/var/www'],
  ['source-missing', seen({ missingSources: ['/srv/data'] }), '/srv/data'],
  [
    'recipient-unusable',
    seen({ recipients: { usable: [], refused: [{ file: '/k', reason: 'it is expired' }] } }),
    '/k',
  ],
  [
    'recipient-expiring',
    seen({ recipients: { usable: [recipient(inDays(30))], refused: [] } }),
    'f'.repeat(40),
  ],
  [
    'destination-unavailable',
    seen({ destination: { kind: 'unavailable', reason: 'no such directory' } }),
    '/srv/backup',
  ],
  [
    'destination-exposed',
    seen({ destination: { kind: 'ready', exposure: { reason: 'x', remedy: 'y' }, freeBytes: 1_000_000 } }),
    '/srv/backup',
  ],
  [
    'destination-full',
    seen({ destination: { kind: 'ready', exposure: undefined, freeBytes: 1199 } }),
    '/srv/backup',
  ],
])('judge() reports %s', (rule, observation, subject) => {
  const found = judge(observation).filter((finding) => finding.rule === rule)
  expect(found).toMatchObject([{ subject, severity: rules[rule].severity }])
  expect(found[0]?.remedy).toBeTruthy()
})

test.each<[string, Observation]>([
  ['a key that expires in 31 days', seen({ recipients: { usable: [recipient(inDays(31))], refused: [] } })],
  [
    'a destination with room for the next one',
    seen({ destination: { kind: 'ready', exposure: undefined, freeBytes: 1200 } }),
  ],
  [
    'an older one that was never proven',
    seen({
      records: [
        { record: record({ name: 'a', provenAt: null }), object: 'missing', isSealed: true },
        { record: record(), object: 'whole', isSealed: true },
      ],
    }),
  ],
  [
    'one that retention was about to remove',
    seen({
      records: [
        { record: record({ name: 'a', isLeaving: true }), object: 'missing', isSealed: true },
        { record: record(), object: 'whole', isSealed: true },
      ],
    }),
  ],
  ['a backup that could not be looked at, which is told as blind', withRecord({}, 'unknown')],
])('judge() is silent about %s', (_what, observation) => {
  expect(judge(observation)).toEqual([])
})

test('judge() goes on telling what the newest backup does not hold', () => {
  const problems = {
    count: 5,
    first: [
      { path: '/home', kind: 'not-entered' as const, reason: 'another file system is mounted there' },
      { path: '/etc/busy', kind: 'changed' as const, reason: 'it was written to' },
      { path: '/etc/secret', kind: 'unreadable' as const, reason: 'permission denied' },
    ],
  }
  const older = record(
    { name: 'older' },
    { count: 1, first: [{ path: '/old', kind: 'changed', reason: 'x' }] },
  )
  const observation = seen({
    records: [
      { record: older, object: 'whole', isSealed: true },
      { record: record({}, problems), object: 'whole', isSealed: true },
    ],
  })
  expect(judge(observation).map(({ rule, subject }) => [rule, subject])).toEqual([
    ['source-not-entered', '/home'],
    ['source-changed', '/etc/busy'],
    ['source-unreadable', '/etc/secret'],
    ['source-unreadable', 'sources'],
  ])
})
