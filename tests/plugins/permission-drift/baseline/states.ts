import { createHmac } from 'node:crypto'
import { encodeRaw } from '../../../../agent/contract/entry-record.ts'
import { compareTreeOrder, type EntryState } from '../../../../agent/contract/mod.ts'

export const fingerprint = (value: string) =>
  createHmac('sha256', 'key').update(value).digest('hex').slice(0, 32)

/** A state of an entry with nothing special. */
export function stateOf(path: string, rest: Partial<EntryState> = {}): EntryState {
  return {
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: Bun.hash.crc32(path),
    dev: 1,
    nlink: 1,
    mtimeNs: 0n,
    ctimeNs: 0n,
    deviceMajor: 0,
    deviceMinor: 0,
    flags: [],
    ...rest,
  }
}

/** In the order of a scan. "/a/" is a directory. */
export function treeOf(...entries: (string | EntryState)[]): EntryState[] {
  return entries
    .map((each) =>
      typeof each === 'string' ? stateOf(each, { type: each.endsWith('/') ? 'directory' : 'file' }) : each,
    )
    .map((each) => ({ ...each, path: each.path === '/' ? '/' : each.path.replace(/\/$/, '') }))
    .sort((a, b) => compareTreeOrder(encodeRaw(a.path), encodeRaw(b.path)))
}
