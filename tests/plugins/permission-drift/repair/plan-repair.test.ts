import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { combineRules, type Wanted } from '../../../../plugins/permission-drift/policy/judge.ts'
import {
  type Attributes,
  planRepair,
  repairByBaseline,
  repairByPolicy,
} from '../../../../plugins/permission-drift/repair/plan-repair.ts'

const nothing: Wanted = combineRules([], 'file')
const file = (mode: number, uid = 0, gid = 0) => ({ type: 'file' as const, mode, uid, gid })

describe('repairByPolicy()', () => {
  test.each([
    ['takes away what is too much', 0o666, { kind: 'at-most', bits: 0o640 }, 0o640],
    [
      'leaves what is wider than it has to be',
      0o666,
      { kind: 'at-least', bits: 0o400, mayWiden: true },
      0o666,
    ],
    ['adds what is lacking where it may', 0o200, { kind: 'at-least', bits: 0o440, mayWiden: true }, 0o640],
    ['leaves what is stricter', 0o600, { kind: 'at-most', bits: 0o640 }, 0o600],
    [
      'makes nothing wider, even where the mode is exact',
      0o600,
      { kind: 'exact', bits: 0o640, mayWiden: false },
      0o600,
    ],
    ['takes away without adding', 0o604, { kind: 'exact', bits: 0o640, mayWiden: false }, 0o600],
    ['makes it wider where the rule says so', 0o604, { kind: 'exact', bits: 0o640, mayWiden: true }, 0o640],
    ['takes setuid away', 0o4755, { kind: 'at-most', bits: 0o755 }, 0o755],
  ] as const)('repairByPolicy() %s', (_, mode, wanted, expected) => {
    expect(repairByPolicy(file(mode), { ...nothing, mode: wanted })).toEqual(file2(expected))
  })

  const file2 = (mode: number): Attributes => ({ mode, uid: 0, gid: 0 })

  test('repairByPolicy() takes the first of several owners, and leaves one that is among them', () => {
    expect(repairByPolicy(file(0o600, 5, 6), { ...nothing, uids: [1, 2], gids: [3] })).toEqual({
      mode: 0o600,
      uid: 1,
      gid: 3,
    })
    expect(repairByPolicy(file(0o600, 2, 6), { ...nothing, uids: [1, 2] })).toEqual({
      mode: 0o600,
      uid: 2,
      gid: 6,
    })
  })

  test('repairByPolicy() gives no setuid program to another owner', () => {
    expect(repairByPolicy(file(0o6755, 5), { ...nothing, uids: [0] }).mode).toBe(0o755)
    expect(repairByPolicy({ ...file(0o2775, 5), type: 'directory' }, { ...nothing, uids: [0] }).mode).toBe(
      0o2775,
    )
    const wanted: Wanted = { ...nothing, uids: [0], mode: { kind: 'at-most', bits: 0o4755 } }
    expect(repairByPolicy(file(0o4777, 5), wanted).mode).toBe(0o4755)
  })
})

test('repairByBaseline() puts owners back and takes bits away, and adds none', () => {
  const all = ['mode', 'owner', 'group', 'size']
  expect(repairByBaseline(file(0o666, 5, 6), { mode: 0o644, uid: 1, gid: 2 }, all)).toEqual({
    mode: 0o644,
    uid: 1,
    gid: 2,
  })
  expect(repairByBaseline(file(0o600), { mode: 0o644, uid: 0, gid: 0 }, all).mode).toBe(0o600)
  expect(repairByBaseline(file(0o666, 5, 6), { mode: 0o644, uid: 1, gid: 2 }, ['group'])).toEqual({
    mode: 0o666,
    uid: 5,
    gid: 2,
  })
})

describe('planRepair()', () => {
  test.each([
    ['nothing', file(0o644), file(0o644), []],
    ['a mode', file(0o666), file(0o644), ['mode 644']],
    ['an owner', file(0o644), file(0o644, 5), ['owner 5:0']],
    ['a stricter mode before the owner', file(0o666, 5), file(0o600), ['mode 600', 'owner 0:0']],
    ['a wider mode after the owner', file(0o600, 5), file(0o640), ['owner 0:0', 'mode 640']],
    ['setuid last of all', file(0o4777, 5), file(0o4755), ['mode 755', 'owner 0:0', 'mode 4755']],
  ])('planRepair() plans %s', (_, before, after, expected) => {
    const steps = planRepair(before, after).map((step) =>
      step.change === 'mode' ? `mode ${step.mode.toString(8)}` : `owner ${step.uid}:${step.gid}`,
    )
    expect(steps).toEqual(expected)
  })

  test('planRepair() ends at what is wanted, and is never wider on the way than before or after', () => {
    const attributes = fc.record({
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.constantFrom(0, 1),
      gid: fc.constantFrom(0, 1),
    })
    fc.assert(
      fc.property(attributes, attributes, (before, after) => {
        let now: Attributes = { ...before }
        for (const step of planRepair(before, after)) {
          if (step.change === 'mode') now.mode = step.mode
          // What the kernel does to a program.
          else now = { uid: step.uid, gid: step.gid, mode: now.mode & ~0o6000 }
          const isNewOwner = now.uid === after.uid && now.gid === after.gid
          const allowed = isNewOwner ? before.mode | after.mode : before.mode
          expect(now.mode & ~allowed).toBe(0)
          // Nobody runs it as the new owner before it has the wanted mode.
          if (isNewOwner && now.mode & 0o6000) expect(now.mode).toBe(after.mode)
        }
        expect(now).toEqual(after)
      }),
      { seed: 7, numRuns: 3000 },
    )
  })
})
