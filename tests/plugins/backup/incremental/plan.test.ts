import { expect, test } from 'bun:test'
import { type PlanInput, planBackup } from '../../../../plugins/backup/incremental/plan.ts'
import type { BackupRecord } from '../../../../plugins/backup/records.ts'

const DAY_MS = 86_400_000
const NOW = new Date('2026-11-23T03:15:00.000Z')

function record(index: number, ageDays: number): BackupRecord {
  return {
    name: `backup ${index}`,
    createdAt: new Date(NOW.getTime() - ageDays * DAY_MS).toISOString(),
    chain: { full: 'backup 0', index, previous: index === 0 ? null : `backup ${index - 1}` },
    stored: { bytes: 1, sha256: 'a'.repeat(64) },
    seal: null,
    copies: [],
    recipients: [],
    hasPassphrase: true,
    dumps: {},
    durationMs: 1,
    summary: null,
  }
}

function input(changes: Partial<PlanInput> = {}): PlanInput {
  return {
    now: NOW,
    policy: { fullEvery: 7 * DAY_MS, maxChain: 5 },
    index: { backup: 'backup 1', settings: 's' },
    chain: [record(0, 2), record(1, 1)],
    settings: 's',
    ...changes,
  }
}

test('planBackup() builds upon the last backup where its whole chain is at hand', () => {
  const plan = planBackup(input())
  expect(plan).toMatchObject({ kind: 'changes', previous: { name: 'backup 1' }, full: { name: 'backup 0' } })
})

test.each<[string, Partial<PlanInput>, string]>([
  ['no policy', { policy: undefined }, 'every backup'],
  ['no index', { index: undefined }, 'no index'],
  ['an index of another backup', { index: { backup: 'backup 0', settings: 's' } }, 'not at hand'],
  ['a chain that is not whole', { chain: [] }, 'not at hand'],
  ['other settings', { settings: 't' }, 'not the same'],
  ['a chain that is long enough', { policy: { fullEvery: 7 * DAY_MS, maxChain: 1 } }, 'as many changes'],
  ['an old full backup', { policy: { fullEvery: 2 * DAY_MS, maxChain: 5 } }, 'as old as it may be'],
  ['a full backup from the future', { chain: [record(0, -2), record(1, -1)] }, 'from the future'],
])('planBackup() begins anew with %s', (_what, changes, reason) => {
  expect(planBackup(input(changes))).toEqual({ kind: 'full', reason: expect.stringContaining(reason) })
})
