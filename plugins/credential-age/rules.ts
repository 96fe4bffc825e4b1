import type { Rule } from '../../agent/contract/mod.ts'

const OWASP_AUTHENTICATION = 'OWASP Top 10 2021 A07'
const OWASP_CRYPTOGRAPHY = 'OWASP Top 10 2021 A02'

export type RuleId =
  | 'certificate-chain-broken'
  | 'certificate-key-mismatch'
  | 'certificate-name-mismatch'
  | 'certificate-not-served'
  | 'certificate-self-signed'
  | 'clock-wrong'
  | `credential-${
      | 'overdue'
      | 'due-soon'
      | 'expired'
      | 'expiring'
      | 'not-yet-valid'
      | 'revoked'
      | 'unrotated'
      | 'weak'
      | 'placeholder'
      | 'readable-by-others'
      | 'reused'
      | 'empty'
      | 'missing'
      | 'in-arguments'
      | 'in-history'
      | 'in-unit'
      | 'not-loaded'
      | 'in-plain'
      | 'undeclared'
      | 'rotation-unfinished'
      | 'rotation-due'
      | 'rotation-failed'
      | 'old-accepted'
      | 'compromised'}`

/** Every rule of this plugin. The severity is the usual one: how near the day is can raise or lower it. */
export const rules: Record<RuleId, Rule> = {
  'credential-overdue': {
    means: 'A credential is older than it may be and has to be rotated',
    severity: 'warning',
    references: ['OWASP ASVS 4.0 2.10.1', OWASP_AUTHENTICATION],
  },
  'credential-due-soon': { means: 'A credential has to be rotated soon', severity: 'warning' },
  'credential-expired': {
    means: 'A credential is past its own expiry: what relies on it fails',
    severity: 'critical',
  },
  'credential-expiring': { means: 'A credential reaches its own expiry soon', severity: 'warning' },
  'credential-not-yet-valid': {
    means: 'A credential is not valid before a later day, or the clock of this host is wrong',
    severity: 'warning',
  },
  'credential-revoked': { means: 'A revoked key is still in place', severity: 'warning' },
  'credential-unrotated': {
    means: 'A rotation is declared in the configuration, but the value is the one from before it',
    severity: 'warning',
  },
  'credential-weak': {
    means: 'A credential can be guessed or computed: too short, too few bits, or a broken algorithm',
    severity: 'warning',
    references: ['NIST SP 800-57 part 1, table 2', OWASP_CRYPTOGRAPHY],
  },
  'credential-placeholder': {
    means: 'A credential is a sample value of a manual or template, which everybody knows',
    severity: 'critical',
    references: [OWASP_AUTHENTICATION],
  },
  'credential-readable-by-others': {
    means: 'More users than intended have access to the file of a secret',
    severity: 'critical',
    references: ['CWE-732'],
  },
  'credential-reused': {
    means: 'One secret is used in several places, so a leak of one is a leak of all',
    severity: 'warning',
  },
  'credential-empty': { means: 'A place for a credential has none in it', severity: 'warning' },
  'credential-missing': { means: 'A declared credential is not there', severity: 'warning' },
  'credential-in-arguments': {
    means: 'A secret is in the command line of a process, which every user of the host can see',
    severity: 'critical',
    references: ['CWE-214'],
  },
  'credential-in-history': {
    means: 'A secret is in the history of a shell',
    severity: 'critical',
    references: ['CWE-532'],
  },
  'credential-in-unit': {
    means: 'A secret stands in a systemd unit, whose environment every user can ask for (systemctl show)',
    severity: 'warning',
    references: ['CWE-732'],
  },
  'credential-in-plain': {
    means: 'A token stands in plain, or in a form that never matches, where only hashes may stand',
    severity: 'critical',
    references: ['CWE-256'],
  },
  'credential-not-loaded': {
    means: 'A service was started before its credential was changed: it still uses the old one',
    severity: 'warning',
  },
  'credential-undeclared': {
    means: 'A unit reads a file of secrets that no declaration is about',
    severity: 'info',
  },
  'credential-rotation-due': {
    means: 'A rotation, or the next step of one, is to be done; a job that enforces does it',
    severity: 'warning',
  },
  'credential-rotation-unfinished': {
    means: 'Old and new have been accepted side by side for long: a rotation was begun and not finished',
    severity: 'warning',
  },
  'credential-rotation-failed': {
    means: 'A rotation was begun and could not be finished',
    severity: 'critical',
  },
  'credential-old-accepted': {
    means: 'The old value is still accepted after the rotation',
    severity: 'critical',
    references: [OWASP_AUTHENTICATION],
  },
  'credential-compromised': {
    means: 'A credential was declared compromised, and its runbook is not through',
    severity: 'critical',
  },
  'certificate-chain-broken': {
    means: 'Those who connect cannot follow a certificate to an authority that they know',
    severity: 'critical',
  },
  'certificate-key-mismatch': {
    means: 'A certificate and the private key beside it do not belong together: the service will not start',
    severity: 'critical',
  },
  'certificate-name-mismatch': {
    means: 'A certificate is not for a name under which others connect',
    severity: 'critical',
  },
  'certificate-not-served': {
    means: 'A port serves another certificate than the one in its file: it was renewed and not loaded',
    severity: 'critical',
  },
  'certificate-self-signed': {
    means: 'A certificate that others are to trust is signed by itself',
    severity: 'warning',
  },
  'clock-wrong': {
    means: 'The clock of this host cannot be right, so no age and no expiry can be trusted',
    severity: 'critical',
  },
}
