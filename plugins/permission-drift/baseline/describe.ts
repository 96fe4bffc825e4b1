import { type EntryState, type Finding, type HostReader, shellWord } from '../../../agent/contract/mod.ts'
import type { Attribute } from '../change.ts'
import type { TreeConfig } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { repairByBaseline, sameAttributes } from '../repair/plan-repair.ts'
import { severityOfBits } from '../severity.ts'
import { type Drift, isPowerful } from './fold.ts'
import { attributeText } from './summary.ts'

export interface TreeText {
  tree: TreeConfig
  job: string
  names: Pick<HostReader, 'userName' | 'groupName'>
}

/** Longer values are shown by their beginning. */
const MAX_SHOWN = 200

/** The finding for one difference between a tree and its baseline. */
export function describeDrift(drift: Drift, text: TreeText): Finding {
  switch (drift.kind) {
    case 'changed':
      return describeChange(drift, text)
    case 'renamed':
      return describeRename(drift, text)
    case 'new':
      return describeNew(drift, text)
    case 'removed':
      return {
        rule: 'removed',
        subject: subjectOf(drift.entry.path),
        severity: text.tree.severity,
        summary: `Is gone since the baseline${extentOf(drift.entry, drift.below)}`,
        remedy: `Put it back, or, ${acceptText(text, drift.entry.path)}`,
        evidence: { ...evidenceOf(drift.entry, text), below: drift.below },
      }
  }
}

function describeNew({ entry, below }: Extract<Drift, { kind: 'new' }>, text: TreeText): Finding {
  const hasCapabilities = Boolean(entry.capabilities)
  const isAlarming = isPowerful(entry) || hasCapabilities
  const power =
    entry.type !== 'file'
      ? ', and gives access to a device'
      : hasCapabilities
        ? `, and has the capabilities ${entry.capabilities}`
        : ', and runs as its owner or group'
  return {
    rule: 'new',
    subject: subjectOf(entry.path),
    severity: isAlarming ? 'critical' : text.tree.severity,
    summary: `Is new since the baseline${extentOf(entry, below)}${isAlarming ? power : ''}`,
    remedy: `Look at it: ls -ld -- ${shellWord(entry.path)}; ${acceptText(text, entry.path)}`,
    evidence: { ...evidenceOf(entry, text), below },
  }
}

function describeRename(
  { before, after, below }: Extract<Drift, { kind: 'renamed' }>,
  text: TreeText,
): Finding {
  return {
    rule: 'renamed',
    subject: subjectOf(after.path),
    severity: isPowerful(after) ? 'critical' : text.tree.severity,
    summary: `Was ${subjectOf(before.path).slice(0, 1000)} in the baseline${extentOf(after, below)}`,
    remedy: `Put it back: mv -nT -- ${shellWord(after.path)} ${shellWord(before.path)}; ${acceptText(text, after.path, before.path)}`,
    evidence: { ...evidenceOf(after, text), from: subjectOf(before.path), below },
  }
}

function describeChange(
  { before, after, attributes }: Extract<Drift, { kind: 'changed' }>,
  text: TreeText,
): Finding {
  const { tree } = text
  const show = (state: EntryState, attribute: 'type' | Attribute) => shown(state, attribute, text)
  const changes = attributes.map(
    (attribute) => `${attribute} ${show(before, attribute) || 'none'} to ${show(after, attribute) || 'none'}`,
  )
  const surplus = attributes.includes('mode') ? after.mode & ~before.mode : 0
  const isDangerous =
    attributes.includes('type') ||
    severityOfBits(surplus, after) === 'critical' ||
    (attributes.includes('capabilities') && Boolean(after.capabilities)) ||
    (isPowerful(after) &&
      ['owner', 'group', 'content'].some((each) => attributes.includes(each as Attribute)))
  const repaired = repairByBaseline(after, before, attributes)
  const word = shellWord(after.path)
  const commands = [
    ...(attributes.includes('owner') || attributes.includes('group')
      ? [`chown -h -- ${show(before, 'owner')}:${show(before, 'group')} ${word}`]
      : []),
    ...(attributes.includes('mode') && after.type !== 'symlink'
      ? [`chmod ${show(before, 'mode')} -- ${word}`]
      : []),
  ]
  const putBack =
    commands.length > 0 ? `Put it back: ${commands.join(' && ')}` : `Look at it: ls -ld -- ${word}`
  return {
    rule: 'changed',
    subject: subjectOf(after.path),
    severity: isDangerous ? 'critical' : tree.severity,
    summary: `Changed since the baseline: ${changes.join(', ')}`.slice(0, 2000),
    remedy: `${putBack}; ${acceptText(text, after.path)}`,
    evidence: Object.fromEntries(
      attributes.flatMap((attribute) => [
        [attribute, show(after, attribute)],
        [`${attribute}Before`, show(before, attribute)],
      ]),
    ),
    fixable: tree.repair && !attributes.includes('type') && !sameAttributes(after, repaired),
  }
}

/** The finding for a baseline that a tree cannot be compared with. */
export function describeLostBaseline(
  rule: 'baseline-missing' | 'baseline-tampered',
  tree: string,
  job: string,
  reason: string,
): Finding {
  return {
    rule,
    subject: subjectOf(tree),
    severity: 'critical',
    summary: `The baseline of ${subjectOf(tree)} cannot be trusted: ${reason}`.slice(0, 2000),
    remedy:
      'Find out who had access to the state directory and restore the files from a backup; or, when the tree is ' +
      `known to be good, make a new one: ${acceptCommand(job, tree)} --anew`,
  }
}

export function acceptCommand(job: string, ...paths: string[]): string {
  return `reeve baseline accept --job ${shellWord(job)} ${paths.map(shellWord).join(' ')}`
}

function acceptText({ job }: TreeText, ...paths: string[]): string {
  return `if it is meant, accept it: ${acceptCommand(job, ...paths)}`
}

function extentOf({ type }: EntryState, below: number): string {
  return below > 0 ? ` (${type} with ${below} entries below)` : ` (${type})`
}

function evidenceOf(state: EntryState, text: TreeText) {
  const show = (attribute: 'type' | Attribute) => shown(state, attribute, text)
  return {
    type: state.type,
    mode: show('mode'),
    owner: show('owner'),
    group: show('group'),
    size: state.size,
    ...(state.sha256 && { sha256: state.sha256 }),
    ...(state.capabilities && { capabilities: state.capabilities }),
  }
}

function shown(state: EntryState, attribute: 'type' | Attribute, { names }: TreeText): string {
  if (attribute === 'owner') return names.userName(state.uid)
  if (attribute === 'group') return names.groupName(state.gid)
  const value = attributeText(state, attribute)
  return value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value
}
