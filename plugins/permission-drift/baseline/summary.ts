import { type EntryState, type Json, printablePath } from '../../../agent/contract/mod.ts'
import type { Attribute, Change } from '../change.ts'
import { textOf } from './differences.ts'

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

/** What an entry has of an attribute, as text. */
export function attributeText(state: EntryState, attribute: 'type' | Attribute): string {
  switch (attribute) {
    case 'type':
      return state.type
    case 'mode':
      return octal(state.mode)
    case 'owner':
      return String(state.uid)
    case 'group':
      return String(state.gid)
    case 'size':
      return String(state.size)
    case 'content':
      return state.sha256 ?? ''
    case 'target':
      return printablePath(state.target ?? '')
    case 'acl':
      return state.defaultAcl ? `${state.acl ?? ''} default ${state.defaultAcl}`.trim() : (state.acl ?? '')
    case 'capabilities':
      return state.capabilities ?? ''
    case 'xattrs':
      return textOf(state.xattrs) ?? ''
    case 'flags':
      return state.flags.join(',')
    case 'device':
      return `${state.deviceMajor}:${state.deviceMinor}`
    case 'links':
      return String(state.nlink)
    case 'inode':
      return String(state.ino)
    case 'mtime':
      return new Date(state.mtimeMs).toISOString()
  }
}

/** A change as one object of JSON: for the list of an acceptance, and for the command line. */
export function summaryOf(change: Change): Record<string, Json> {
  if (change.kind !== 'changed') {
    const state = change.kind === 'new' ? change.after : change.before
    return { change: change.kind, path: printablePath(state.path), ...stateOf(state) }
  }
  const { before, after, attributes } = change
  return {
    change: 'changed',
    path: printablePath(after.path),
    before: Object.fromEntries(attributes.map((attribute) => [attribute, attributeText(before, attribute)])),
    after: Object.fromEntries(attributes.map((attribute) => [attribute, attributeText(after, attribute)])),
  }
}

/** What is known of an entry, without what says nothing. */
export function stateOf(state: EntryState): Record<string, Json> {
  const isSized = state.type === 'file' || state.type === 'symlink'
  return {
    type: state.type,
    mode: octal(state.mode),
    uid: state.uid,
    gid: state.gid,
    ...(isSized && { size: state.size }),
    ...(state.sha256 !== undefined && { sha256: state.sha256 }),
    ...(state.target !== undefined && { target: printablePath(state.target) }),
    ...(state.acl && { acl: state.acl }),
    ...(state.defaultAcl && { defaultAcl: state.defaultAcl }),
    ...(state.capabilities && { capabilities: state.capabilities }),
    ...(state.xattrs && Object.keys(state.xattrs).length > 0 && { xattrs: { ...state.xattrs } }),
    ...(state.flags.length > 0 && { flags: [...state.flags] }),
    ...(state.type.endsWith('device') && { device: `${state.deviceMajor}:${state.deviceMinor}` }),
  }
}
