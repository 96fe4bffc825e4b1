import type { Rule } from '../../agent/contract/mod.ts'

export const rules = {
  'old-protocol': {
    means: 'A front end offers a version of TLS that is retired',
    severity: 'warning',
    references: ['OWASP-A02:2021', 'CWE-326', 'NIST-CSF-PR.DS-2'],
  },
  'weak-cipher': {
    means: 'A front end offers cipher suites without authentication or with a broken cipher',
    severity: 'warning',
    references: ['OWASP-A02:2021', 'CWE-327'],
  },
  'key-readable': {
    means: 'The key of a certificate can be read by others than its service',
    severity: 'critical',
    references: ['OWASP-A02:2021', 'CWE-732'],
  },
  'key-mismatch': { means: 'A key is not that of the certificate beside it', severity: 'critical' },
  'certificate-unusable': {
    means: 'A certificate or key that a front end names is missing or damaged',
    severity: 'critical',
  },
  'self-signed-certificate': {
    means: 'A front end shows a certificate to others that nobody but itself has signed',
    severity: 'warning',
    references: ['CWE-295'],
  },
  'no-hsts': {
    means: 'Browsers are not told to stay with https',
    severity: 'info',
    references: ['OWASP-A05:2021'],
  },
  'no-front': {
    means: 'Nothing fronts a service that has to have a front end',
    severity: 'warning',
    references: ['NIST-CSF-PR.AC-5'],
  },
  'front-without-tls': {
    means: 'A service is reached through a front end in clear',
    severity: 'critical',
    references: ['OWASP-A02:2021', 'CWE-319'],
  },
  'front-without-redirect': {
    means: 'Who asks a front end over plain HTTP is not sent to https',
    severity: 'warning',
  },
  'front-without-hsts': {
    means: 'Browsers are not told to stay with https for a service that wants it',
    severity: 'warning',
    references: ['OWASP-A05:2021'],
  },
  'front-without-headers': {
    means: 'A front end does not set the headers that protect the pages of a service',
    severity: 'warning',
    references: ['OWASP-A05:2021', 'CWE-693'],
  },
  'front-without-rate-limit': {
    means: 'A front end lets a client ask a service as often as it likes',
    severity: 'warning',
    references: ['CWE-770'],
  },
  'front-without-forward-headers': {
    means: 'A front end does not tell a service who asks, or lets the client say it',
    severity: 'warning',
    references: ['CWE-348'],
  },
} satisfies Record<string, Rule>

export type RuleId = keyof typeof rules
