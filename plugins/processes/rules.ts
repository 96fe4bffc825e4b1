import type { Rule } from '../../agent/contract/mod.ts'

export const RULES = {
  'program-replaced': {
    means: 'A process runs a program that was replaced since: an upgrade is not in force',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-12'],
  },
  'library-replaced': {
    means: 'A process uses a library that was replaced since: an upgrade is not in force',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-12'],
  },
  'program-removed': {
    means: 'A process runs a program of which the file is gone',
    severity: 'warning',
    references: ['NIST-CSF-DE.CM-7'],
  },
  'process-missing': { means: 'A process that has to run does not', severity: 'warning' },
  'process-user': {
    means: 'A process runs as another user than it should, or as root',
    severity: 'critical',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'process-capabilities': {
    means: 'A process has capabilities that it should not have',
    severity: 'warning',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'process-core-dumps': {
    means: 'A process may leave a core dump, in which its secrets are',
    severity: 'warning',
    references: ['CWE-528'],
  },
  'process-unconfined': {
    means: 'A process may gain rights, or make any system call',
    severity: 'warning',
    references: ['CWE-250'],
  },
  'root-listener': {
    means: 'A process of root listens on a TCP port',
    severity: 'warning',
    references: ['CWE-250'],
  },
  'browser-unsandboxed': {
    means: 'A browser runs as root or without its sandbox, so that a page may become the host',
    severity: 'warning',
    references: ['CWE-250', 'CWE-693'],
  },
} satisfies Record<string, Rule>

/** What needs more than everybody may see of a process. */
export const SURVEY_RULES = ['program-replaced', 'library-replaced', 'program-removed'] as const
export const DEMAND_RULES = [
  'process-missing',
  'process-user',
  'process-capabilities',
  'process-core-dumps',
  'process-unconfined',
] as const
