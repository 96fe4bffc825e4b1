import type { Rule } from '../../agent/contract/mod.ts'

const HARD_CODED = ['CWE-798', 'OWASP-A07:2021', 'NIST-CSF-PR.AC-1']

export const rules = {
  'secret-in-config': {
    means: 'A configuration file holds a secret as text',
    severity: 'critical',
    references: HARD_CODED,
  },
  'known-bad-hash': {
    means: 'What is accepted as a token or password is one that everybody knows',
    severity: 'critical',
    references: ['CWE-1392', 'OWASP-A07:2021'],
  },
  'high-entropy': {
    means: 'A value looks as random as a secret, though its name does not say so',
    severity: 'info',
    references: ['CWE-798'],
  },
  'secret-in-log': {
    means: 'A log holds a secret',
    severity: 'critical',
    references: ['CWE-532', 'OWASP-A09:2021'],
  },
  'secret-in-unit': {
    means: 'A unit has a secret in its own text, where everybody can read it',
    severity: 'critical',
    references: ['CWE-526', 'OWASP-A05:2021'],
  },
  'secret-in-cron': {
    means: 'A scheduled command or a script holds a secret as text',
    severity: 'critical',
    references: HARD_CODED,
  },
  'secret-in-arguments': {
    means: 'A secret stands in the arguments of a running process, where everybody can read it',
    severity: 'critical',
    references: ['CWE-214'],
  },
  'secret-in-history': {
    means: 'The history of a shell or of a program like it holds a secret',
    severity: 'warning',
    references: ['CWE-532'],
  },
  'password-automation': {
    means: 'An automation logs in over SSH with a password instead of a key',
    severity: 'critical',
    references: ['CWE-798'],
  },
  'unverified-transfer': {
    means: 'A unit or a scheduled command does not look whom it talks to over TLS',
    severity: 'critical',
    references: ['CWE-295', 'OWASP-A02:2021'],
  },
  'dangerous-command': {
    means: 'A scheduled command runs what it downloads, opens files to everyone or destroys them',
    severity: 'warning',
    references: ['CWE-78', 'CWE-494'],
  },
  'malformed-environment': {
    means: 'An environment file has a line that is not read as it looks',
    severity: 'warning',
  },
  'open-secret-file': {
    means: 'A file of secrets can be read by others',
    severity: 'critical',
    references: ['CWE-732', 'NIST-CSF-PR.AC-4'],
  },
  'missing-variable': { means: 'A required variable is missing or empty', severity: 'warning' },
  'weak-variable': {
    means: 'A required variable has a placeholder, or is too short or of another form than it must be',
    severity: 'critical',
    references: ['CWE-521', 'CWE-1392'],
  },
  'tracked-file': {
    means: 'A repository tracks a file that is made to hold secrets',
    severity: 'critical',
    references: ['CWE-540'],
  },
  'not-ignored': {
    means: 'A repository does not ignore a file that is made to hold secrets',
    severity: 'warning',
    references: ['CWE-540'],
  },
  'not-tracked': { means: 'A repository lacks a file that it should have', severity: 'info' },
  'secret-in-repository': {
    means: 'A tracked file of a repository holds a secret',
    severity: 'critical',
    references: ['CWE-540', 'CWE-798'],
  },
  'secret-staged': {
    means: 'What is staged for the next commit holds a secret',
    severity: 'critical',
    references: ['CWE-540', 'CWE-798'],
  },
  'secret-in-commit': {
    means: 'A commit holds a secret: whoever gets the repository gets it, too',
    severity: 'critical',
    references: ['CWE-540', 'CWE-798'],
  },
  'credentials-in-remote': {
    means: 'The address of a remote repository holds a credential',
    severity: 'critical',
    references: ['CWE-522'],
  },
  'stored-credentials': {
    means: 'git keeps credentials as text',
    severity: 'warning',
    references: ['CWE-522', 'CWE-256'],
  },
  'no-commit-hook': { means: 'Nothing looks at commits before they are made or pushed', severity: 'info' },
  'payment-card': {
    means: 'A file holds the number of a payment card',
    severity: 'critical',
    references: ['CWE-312', 'CWE-359'],
  },
  'national-id': {
    means: 'A file holds what looks like a social security number',
    severity: 'warning',
    references: ['CWE-359'],
  },
} satisfies Record<string, Rule>

export type RuleName = keyof typeof rules
