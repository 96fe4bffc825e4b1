import {
  type Entry,
  type Finding,
  type HostReader,
  type Severity,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { BaselineEntry } from './baseline/baseline-format.ts'
import { type Drift, isPowerful } from './baseline/compare.ts'
import type { TreeConfig } from './config.ts'
import { subjectOf } from './finding-list.ts'
import type { Deviation, Rule, Wanted } from './policy/judge.ts'
import { repairByBaseline, repairByPolicy, sameAttributes } from './repair/plan-repair.ts'

export type Names = Pick<HostReader, 'userName' | 'groupName'>

// What cannot wait: others may write, or a program runs as somebody else than who starts it.
const SET_ID = 0o6000
const WRITABLE_BY_OTHERS = 0o0002
const STICKY = 0o1000

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

/** The finding for one deviation of an entry from the policy. */
export function describeDeviation(entry: Entry, wanted: Wanted, deviation: Deviation, names: Names): Finding {
  const word = shellWord(entry.path)
  const repaired = repairByPolicy(entry, wanted)
  const base = { rule: deviation.rule, subject: subjectOf(entry.path) }
  switch (deviation.rule) {
    case 'type-differs': {
      const types = deviation.wanted.join(' or ')
      return {
        ...base,
        severity: wanted.severity ?? 'critical',
        summary: `Is a ${entry.type}, wanted a ${types}`,
        remedy: `Find out who put it there: ls -ld -- ${word}`,
        evidence: { type: entry.type, wanted: types },
      }
    }
    case 'owner-differs': {
      const owners = deviation.wanted.map((uid) => names.userName(uid))
      const isOfRoot = deviation.wanted.every((uid) => uid === 0)
      return {
        ...base,
        severity: wanted.severity ?? (isOfRoot ? 'critical' : 'warning'),
        summary: `Belongs to user ${names.userName(entry.uid)}, wanted ${owners.join(' or ')}`,
        remedy: `chown -h -- ${owners[0]} ${word}`,
        evidence: { owner: names.userName(entry.uid), uid: entry.uid, wanted: owners.join(',') },
        fixable: true,
      }
    }
    case 'group-differs': {
      const groups = deviation.wanted.map((gid) => names.groupName(gid))
      return {
        ...base,
        severity: wanted.severity ?? 'warning',
        summary: `Belongs to group ${names.groupName(entry.gid)}, wanted ${groups.join(' or ')}`,
        remedy: `chgrp -h -- ${groups[0]} ${word}`,
        evidence: { group: names.groupName(entry.gid), gid: entry.gid, wanted: groups.join(',') },
        fixable: true,
      }
    }
    case 'mode-differs': {
      const { kind, bits } = deviation.wanted
      const target = kind === 'exact' ? bits : entry.mode & bits
      return {
        ...base,
        severity: wanted.severity ?? severityOfBits(deviation.surplus, entry),
        summary: `Has mode ${octal(entry.mode)}, wanted ${kind === 'exact' ? '' : 'at most '}${octal(bits)}`,
        remedy: `chmod ${octal(target)} -- ${word}`,
        evidence: { mode: octal(entry.mode), wanted: octal(bits), exact: kind === 'exact' },
        fixable: repaired.mode !== entry.mode,
      }
    }
  }
}

/** The finding for a rule whose path is missing, or whose pattern matches nothing. */
export function describeAbsence(rule: Rule): Finding {
  if (rule.isPattern) {
    return {
      rule: 'no-match',
      subject: subjectOf(rule.path),
      severity: rule.severity ?? 'warning',
      summary: 'Nothing matches this pattern of the policy',
      remedy: 'Correct the pattern, or say `noMatch: ok` in its rule',
    }
  }
  return {
    rule: 'missing',
    subject: subjectOf(rule.path),
    severity: rule.severity ?? 'warning',
    summary: 'Is missing',
    remedy: 'Put it back, or say `missing: ok` in its rule',
  }
}

export interface TreeText {
  tree: TreeConfig
  job: string
  names: Names
}

/** The finding for one difference between a tree and its baseline. */
export function describeDrift(drift: Drift, text: TreeText): Finding {
  const { tree } = text
  const accept = `if it is meant, accept it: ${acceptCommand(text.job, tree.path)}`
  if (drift.kind === 'changed') return describeChange(drift, text, accept)
  const { entry, below } = drift
  const base = { rule: drift.kind, subject: subjectOf(entry.path) }
  const extent = below > 0 ? ` (${entry.type} with ${below} entries below)` : ` (${entry.type})`
  if (drift.kind === 'removed') {
    return {
      ...base,
      severity: tree.severity,
      summary: `Is gone since the baseline${extent}`,
      remedy: `Put it back, or, ${accept}`,
      evidence: { ...attributesOf(entry, text.names), below },
    }
  }
  const isAlarming = isPowerful(entry)
  const power = entry.type === 'file' ? ', and runs as its owner or group' : ', and gives access to a device'
  return {
    ...base,
    severity: isAlarming ? 'critical' : tree.severity,
    summary: `Is new since the baseline${extent}${isAlarming ? power : ''}`,
    remedy: `Look at it: ls -ld -- ${shellWord(entry.path)}; ${accept}`,
    evidence: { ...attributesOf(entry, text.names), below },
  }
}

function describeChange(
  { before, after, attributes }: Extract<Drift, { kind: 'changed' }>,
  { tree, names }: TreeText,
  accept: string,
): Finding {
  const was = attributesOf(before, names)
  const is = attributesOf(after, names)
  const changes = attributes.map((attribute) => `${attribute} ${was[attribute]} to ${is[attribute]}`)
  const surplus = attributes.includes('mode') ? after.mode & ~before.mode : 0
  const isDangerous =
    attributes.includes('type') ||
    severityOfBits(surplus, after) === 'critical' ||
    (isPowerful(after) && (attributes.includes('owner') || attributes.includes('group')))
  const repaired = repairByBaseline(after, before, attributes)
  const word = shellWord(after.path)
  const commands = [
    ...(attributes.includes('owner') || attributes.includes('group')
      ? [`chown -h -- ${was.owner}:${was.group} ${word}`]
      : []),
    ...(attributes.includes('mode') && after.type !== 'symlink' ? [`chmod ${was.mode} -- ${word}`] : []),
  ]
  const putBack =
    commands.length > 0 ? `Put it back: ${commands.join(' && ')}` : `Look at it: ls -ld -- ${word}`
  return {
    rule: 'changed',
    subject: subjectOf(after.path),
    severity: isDangerous ? 'critical' : tree.severity,
    summary: `Changed since the baseline: ${changes.join(', ')}`,
    remedy: `${putBack}; ${accept}`,
    evidence: Object.fromEntries(
      attributes.flatMap((attribute) => [
        [attribute, is[attribute] ?? null],
        [`${attribute}Before`, was[attribute] ?? null],
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
      'Find out who had access to the state directory and restore the file from a backup; or, when the tree is ' +
      `known to be good, make a new one: ${acceptCommand(job, tree)}`,
  }
}

export function acceptCommand(job: string, tree: string): string {
  return `reeve permission-drift accept --job ${shellWord(job)} ${shellWord(tree)}`
}

function severityOfBits(surplus: number, entry: Pick<Entry, 'type' | 'mode'>): Severity {
  const isShared = entry.type === 'directory' && (entry.mode & STICKY) !== 0
  const dangerous = isShared ? SET_ID : SET_ID | WRITABLE_BY_OTHERS
  return (surplus & dangerous) !== 0 ? 'critical' : 'warning'
}

function attributesOf(entry: BaselineEntry | Entry, names: Names) {
  return {
    type: entry.type,
    mode: octal(entry.mode),
    owner: names.userName(entry.uid),
    group: names.groupName(entry.gid),
    size: entry.size,
  }
}
