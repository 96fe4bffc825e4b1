import type { Rule } from '../../agent/contract/mod.ts'

export const RULES = {
  'unit-failed': {
    means: 'A unit of the system has failed',
    severity: 'warning',
    references: ['NIST-CSF-DE.AE-2'],
  },
  'timer-missed': { means: 'A timer did not run when it should have, or never will', severity: 'warning' },
  'daemon-reload-needed': {
    means: 'The files of a unit were changed, and the service manager has not read them',
    severity: 'warning',
  },
  'reload-would-kill': {
    means: 'To reload a service sends its process a signal that ends it',
    severity: 'warning',
  },
  'unit-missing': { means: 'A unit that has to be there is not', severity: 'warning' },
  'unit-broken': { means: 'The service manager cannot load a unit', severity: 'warning' },
  'unit-not-running': { means: 'A unit that has to run does not', severity: 'warning' },
  'unit-not-enabled': { means: 'A unit that has to be started with the host is not', severity: 'warning' },
  'unit-unwanted': { means: 'A unit runs, or is started with the host, that is not to', severity: 'warning' },
  'unit-user': {
    means: 'A service runs as another user than it should, or as root',
    severity: 'critical',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'unit-hardening': {
    means: 'A directive that takes power from a service is missing or weaker than wanted',
    severity: 'warning',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'unit-exposure': {
    means: 'The exposure level of a service is above its limit',
    severity: 'warning',
    references: ['CWE-250'],
  },
  'unit-core-dumps': {
    means: 'A service may leave core dumps, in which its secrets are',
    severity: 'warning',
    references: ['CWE-528'],
  },
  'unit-reload': {
    means: 'A service cannot be reloaded, or offers a reload that it has not',
    severity: 'warning',
  },
  'change-not-loaded': {
    means: 'A service was started before a file changed that it reads only then',
    severity: 'warning',
  },
  'no-linger': { means: 'Units of a user stop when the user logs out', severity: 'warning' },
  'purpose-unserved': {
    means: 'None of the units does what one of them has to',
    severity: 'warning',
    references: ['NIST-CSF-PR.PT-1'],
  },
} satisfies Record<string, Rule>

/** What only a running service manager can tell. */
export const STATE_RULES = [
  'unit-failed',
  'timer-missed',
  'daemon-reload-needed',
  'reload-would-kill',
] as const
/** Of the units that the configuration names. */
export const UNIT_RULES = [
  'unit-missing',
  'unit-broken',
  'unit-not-running',
  'unit-not-enabled',
  'unit-unwanted',
  'unit-user',
  'unit-hardening',
  'unit-exposure',
  'unit-core-dumps',
  'unit-reload',
  'change-not-loaded',
  'no-linger',
] as const
/** Those of them that files alone do not answer. */
export const RUNNING_RULES = [
  'unit-broken',
  'unit-not-running',
  'unit-exposure',
  'change-not-loaded',
] as const
