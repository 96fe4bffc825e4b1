import type { Rule } from '../../agent/contract/mod.ts'

const OWASP_AUTHENTICATION = 'OWASP Top 10 2021 A07'
const OWASP_CRYPTOGRAPHY = 'OWASP Top 10 2021 A02'

export type RuleId = `credential-${
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
  | 'missing'}`

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
}
