import type { Rule } from '../../agent/contract/mod.ts'
import type { Probe } from './config.ts'

export const rules = {
  unguarded: {
    means: 'A service answers a request that it has to refuse',
    severity: 'critical',
    references: ['OWASP-A01:2021', 'CWE-306'],
  },
  'unexpected-status': { means: 'A service answers with another status than it should', severity: 'warning' },
  'missing-header': {
    means: 'An answer lacks a header that protects who reads it, or has it with another value',
    severity: 'warning',
    references: ['OWASP-A05:2021', 'CWE-693'],
  },
  'forbidden-header': {
    means: 'An answer has a header that it must not have',
    severity: 'warning',
    references: ['OWASP-A05:2021', 'CWE-200'],
  },
  'loose-cookie': {
    means: 'A cookie may be read by scripts, sent in clear or by other sites',
    severity: 'warning',
    references: ['CWE-614', 'CWE-1004', 'CWE-1275'],
  },
  'unexpected-body': { means: 'An answer does not say what it should', severity: 'warning' },
  'metric-out-of-range': {
    means: 'A number that a service tells is missing or out of its range',
    severity: 'warning',
  },
  'not-answering': { means: 'Nothing listens where a service should', severity: 'critical' },
  'untrusted-certificate': {
    means: 'A service shows a certificate that is not to be trusted',
    severity: 'critical',
    references: ['OWASP-A02:2021', 'CWE-295'],
  },
  'old-certificate-served': {
    means: 'A service serves another certificate than its file has',
    severity: 'warning',
  },
} satisfies Record<string, Rule>

export type RuleId = keyof typeof rules

/** The rules that one probe can judge: those are dark when it cannot look. */
export function rulesOf(probe: Probe): RuleId[] {
  const { url, expects } = probe
  return [
    ...(expects === 'refused' || expects === 'hidden' ? (['unguarded'] as const) : []),
    'unexpected-status',
    ...(Object.keys(probe.responseHeaders).length > 0 ? (['missing-header'] as const) : []),
    ...(probe.forbiddenHeaders.length > 0 ? (['forbidden-header'] as const) : []),
    ...(probe.cookies === 'strict' ? (['loose-cookie'] as const) : []),
    ...(probe.contains !== undefined || Object.keys(probe.json).length > 0
      ? (['unexpected-body'] as const)
      : []),
    ...(probe.metrics.length > 0 ? (['metric-out-of-range'] as const) : []),
    ...(probe.whenDown === 'finding' ? (['not-answering'] as const) : []),
    ...(url.startsWith('https:') ? (['untrusted-certificate'] as const) : []),
    ...(probe.certificate === undefined ? [] : (['old-certificate-served'] as const)),
  ]
}
