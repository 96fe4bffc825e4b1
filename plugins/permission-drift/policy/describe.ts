import { type Entry, type Finding, type HostReader, shellWord } from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import { subjectOf } from '../finding-list.ts'
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
