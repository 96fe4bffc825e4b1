import type { Rule } from '../../../agent/contract/mod.ts'

export const SERVICES = ['rostr', 'rstmdb', 'maestro', 'ofelia'] as const
export type Service = (typeof SERVICES)[number]

export interface RuleOfServices extends Rule {
  /** Services that it is about. */
  of: readonly Service[]
}

// Ids of OWASP Top 10, CWE and the NIST Cybersecurity Framework that several rules share.
export const MISCONFIGURATION = ['OWASP-A05:2021', 'NIST-CSF-PR.IP-1']
export const AUTHENTICATION = ['OWASP-A07:2021', 'NIST-CSF-PR.AC-1']
export const CRYPTOGRAPHY = ['OWASP-A02:2021', 'NIST-CSF-PR.DS-2']
export const EXPOSURE = ['OWASP-A05:2021', 'NIST-CSF-PR.AC-5']
export const SECRETS = ['OWASP-A02:2021', 'CWE-798']
export const INJECTION = ['OWASP-A03:2021', 'CWE-78']
export const PRIVILEGE = ['CWE-250', 'NIST-CSF-PR.AC-4']
export const INTEGRITY = ['OWASP-A08:2021', 'NIST-CSF-PR.DS-6']
