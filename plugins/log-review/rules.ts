import type { Rule } from '../../agent/contract/mod.ts'
import type { LogSettings, Policy } from './config.ts'

export const rules = {
  'failed-logins': {
    means: 'Logins fail more often than is usual',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'OWASP-A09:2021', 'NIST-CSF-DE.CM-1', 'CWE-307'],
  },
  'login-after-failures': {
    means: 'Somebody got in from where many logins had failed before',
    severity: 'critical',
    references: ['OWASP-A07:2021', 'NIST-CSF-DE.AE-2'],
  },
  'too-many-failures': {
    means: 'A service tells of more failures than is usual',
    severity: 'warning',
    references: ['OWASP-A09:2021', 'NIST-CSF-DE.CM-1'],
  },
  'log-missing': { means: 'A log that there has to be does not exist', severity: 'warning' },
  'log-not-growing': {
    means: 'Nothing was written to a log for longer than is usual',
    severity: 'warning',
    references: ['OWASP-A09:2021', 'CWE-778'],
  },
  'log-gap': {
    means: 'A log has a gap in time that is longer than is usual',
    severity: 'warning',
    references: ['CWE-778'],
  },
  'log-unparsable': {
    means: 'Lines of a log say no time, or are no JSON where they have to be',
    severity: 'warning',
    references: ['OWASP-A09:2021'],
  },
  'log-disorder': { means: 'Times in a log go back', severity: 'warning' },
  'audit-log-unusable': {
    means: 'Entries of a log lack what is needed to tell who did what',
    severity: 'warning',
    references: ['OWASP-A09:2021', 'CWE-223', 'NIST-CSF-PR.PT-1'],
  },
  'log-too-large': { means: 'A log is larger than it may become', severity: 'warning' },
  'rotation-missing': { means: 'No rule rotates a log that has to be rotated', severity: 'warning' },
  'rotation-overdue': { means: 'A log was rotated longer ago than its rule says', severity: 'warning' },
  'journal-retention': {
    means: 'The journal of systemd is kept shorter or longer than a policy says',
    severity: 'warning',
    references: ['CIS-6.2.1', 'NIST-CSF-PR.PT-1'],
  },
  'retention-too-short': {
    means: 'A rule of logrotate keeps logs shorter than a policy demands',
    severity: 'warning',
    references: ['NIST-CSF-PR.PT-1'],
  },
  'retention-too-long': {
    means:
      'Logs are kept longer than a policy allows: by a rule of logrotate, or because nothing rotates them',
    severity: 'warning',
  },
  'retention-conflict': { means: 'Two policies about a log cannot both be met', severity: 'warning' },
  'forwarding-missing': {
    means: 'Logs are kept on this host only, where who breaks in can change them',
    severity: 'warning',
    references: ['CIS-6.2.1', 'OWASP-A09:2021', 'NIST-CSF-PR.PT-1'],
  },
} satisfies Record<string, Rule>

export type RuleId = keyof typeof rules

/** Those that reading the lines of a log can judge. */
export const LINE_RULES: RuleId[] = [
  'log-gap',
  'log-unparsable',
  'log-disorder',
  'audit-log-unusable',
  'log-not-growing',
]

/** Those that a log with these settings can break. */
export function rulesOfLog(settings: LogSettings): RuleId[] {
  return [
    ...(settings.missing === 'finding' ? (['log-missing'] as const) : []),
    ...(settings.writtenWithin === undefined ? [] : (['log-not-growing'] as const)),
    ...(settings.maxGap === undefined ? [] : (['log-gap'] as const)),
    ...(settings.times || settings.format === 'json' ? (['log-unparsable'] as const) : []),
    ...(settings.times ? (['log-disorder'] as const) : []),
    ...(settings.fields.length > 0 ? (['audit-log-unusable'] as const) : []),
    ...(settings.maxBytes === undefined ? [] : (['log-too-large'] as const)),
    ...(settings.rotated ? (['rotation-missing'] as const) : []),
    ...(settings.rotatedWithin === undefined ? [] : (['rotation-overdue'] as const)),
  ]
}

export const RULES_OF_LOGS: RuleId[] = [
  'log-missing',
  'log-not-growing',
  'log-gap',
  'log-unparsable',
  'log-disorder',
  'audit-log-unusable',
  'log-too-large',
  'rotation-missing',
  'rotation-overdue',
]

/** Those that a log with this policy can break by itself. */
export function rulesOfPolicy({ atLeast, atMost }: Policy): RuleId[] {
  return [
    ...(atLeast === undefined ? [] : (['retention-too-short'] as const)),
    ...(atMost === undefined ? [] : (['retention-too-long'] as const)),
  ]
}

export const RETENTION_RULES: RuleId[] = ['retention-too-short', 'retention-too-long', 'retention-conflict']

/** What settings want to have judged. */
export interface Asked {
  subject: string
  rules: RuleId[]
  /** There was something to judge. */
  isThere: boolean
}
