import {
  type Entry,
  type Finding,
  type HostReader,
  printablePath,
  type Severity,
  shellWord,
} from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import { subjectOf } from '../finding-list.ts'
import { planAcl, planXattr } from '../repair/plan-attributes.ts'
import { repairByPolicy } from '../repair/plan-repair.ts'
import { severityOfBits } from '../severity.ts'
import type { Deviation, Rule, Wanted } from './judge.ts'

export type Names = Pick<HostReader, 'userName' | 'groupName'>

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
      const target = kind === 'exact' ? bits : kind === 'at-most' ? entry.mode & bits : entry.mode | bits
      const how = { exact: '', 'at-most': 'at most ', 'at-least': 'at least ' }[kind]
      return {
        ...base,
        severity: wanted.severity ?? severityOfBits(deviation.surplus, entry),
        summary: `Has mode ${octal(entry.mode)}, wanted ${how}${octal(bits)}`,
        remedy: `chmod ${octal(target)} -- ${word}`,
        evidence: { mode: octal(entry.mode), wanted: octal(bits), exact: kind === 'exact' },
        fixable: repaired.mode !== entry.mode,
      }
    }
    case 'set-id-differs': {
      const { bit, wanted: should } = deviation
      const letter = bit === 'setuid' ? 'u' : 'g'
      return {
        ...base,
        severity: wanted.severity ?? (should ? 'warning' : 'critical'),
        summary: should ? `Is not ${bit}, and should be` : `Is ${bit}, and should not be`,
        remedy: `chmod ${letter}${should ? '+' : '-'}s -- ${word}`,
        evidence: { [bit]: !should },
      }
    }
    default:
      return {
        ...base,
        ...describeDetail(word, deviation, wanted.severity),
        ...(isRepairable(deviation, repaired.mode) && { fixable: true }),
      }
  }
}

function isRepairable(deviation: DetailDeviation, mode: number): boolean {
  if (deviation.rule !== 'acl-differs') return planXattr(deviation) !== undefined
  return planAcl(deviation.is, deviation.wanted, mode) !== undefined
}

type DetailDeviation = Extract<Deviation, { is: string }>

const DETAIL_TEXT: Record<DetailDeviation['rule'], { what: string; severity: Severity }> = {
  'acl-differs': { what: 'the access control list', severity: 'warning' },
  'capabilities-differ': { what: 'the capabilities', severity: 'critical' },
  'xattr-differs': { what: 'the extended attribute', severity: 'warning' },
  'flags-differ': { what: 'the flags', severity: 'warning' },
  'target-differs': { what: 'the target', severity: 'warning' },
  'content-differs': { what: 'the SHA-256', severity: 'critical' },
}

function describeDetail(word: string, deviation: DetailDeviation, severity: Severity | undefined) {
  const { what, severity: usual } = DETAIL_TEXT[deviation.rule]
  const name = deviation.name === undefined ? '' : ` ${printablePath(deviation.name)}`
  const shown = (value: string) => printablePath(value).slice(0, 400) || 'none'
  return {
    severity: severity ?? usual,
    summary: `Has ${what}${name} ${shown(deviation.is)}, wanted ${shown(deviation.wanted)}`,
    remedy: detailRemedy(word, deviation),
    evidence: { is: shown(deviation.is), wanted: shown(deviation.wanted) },
  }
}

function detailRemedy(word: string, { rule, wanted, name }: DetailDeviation): string {
  switch (rule) {
    case 'acl-differs':
      return wanted === '' ? `setfacl -b -- ${word}` : `setfacl --set ${shellWord(wanted)} -- ${word}`
    case 'capabilities-differ':
      return wanted === '' ? `setcap -r ${word}` : `setcap ${shellWord(wanted)} ${word}`
    case 'xattr-differs':
      return `setfattr -n ${shellWord(name ?? '')} -v 0x${wanted} -- ${word}`
    case 'flags-differ':
      return `chattr ${wanted === '' ? '-i' : '+i'} -- ${word}`
    case 'target-differs':
      return `ln -sfnT -- ${shellWord(wanted)} ${word}`
    case 'content-differs':
      return `Find out who changed it, and restore it: sha256sum -- ${word}`
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
