import type { EntryState } from '../../agent/contract/mod.ts'

/** What of an entry can be compared with a baseline, besides its type. */
export const ATTRIBUTES = [
  'mode',
  'owner',
  'group',
  'size',
  'content',
  'target',
  'acl',
  'capabilities',
  'xattrs',
  'flags',
  'device',
  'links',
  'inode',
  'mtime',
] as const
export type Attribute = (typeof ATTRIBUTES)[number]

/**
 * One entry that is not as the baseline has it. Changes come in tree order, each entry by itself; only what is
 * left when their causes are known is put together for people (`baseline/fold.ts`).
 */
export type Change =
  | { kind: 'new'; after: EntryState }
  | { kind: 'removed'; before: EntryState }
  | { kind: 'changed'; before: EntryState; after: EntryState; attributes: ('type' | Attribute)[] }

/** Why something changed. A change with a cause is accepted, and raises nothing. */
export interface Cause {
  /** "package", "reeve", "certificate", "tmpfiles", "window". */
  kind: string
  /** For the history, on one line: "dpkg: openssl 3.0.15-1~deb12u1 upgraded 2027-01-02 06:12". */
  detail: string
}

/** Asked for every change of a run, in tree order; undefined where nothing is known to have caused it. */
export type Explain = (change: Change) => Cause | undefined
