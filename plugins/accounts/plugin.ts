import { definePlugin, expandBraces, globBase, isGlob } from '../../agent/contract/mod.ts'
import { checkAccounts } from './check.ts'
import { configSchema } from './config.ts'

const LEAST_PRIVILEGE = 'NIST-CSF-PR.AC-4'

export default definePlugin({
  name: 'accounts',
  summary:
    'Finds accounts, groups, keys and rules of sudo that let in, or let become root, whom nobody meant to',
  defaults: { schedule: '*/30 * * * *', timeout: '1m' },
  rules: {
    'second-root': {
      means: 'Another account than root has the uid 0',
      severity: 'critical',
      references: ['CIS-7.2', 'NIST-CSF-PR.AC-1'],
    },
    'duplicate-account': {
      means: 'Two accounts or groups have the same name or number',
      severity: 'warning',
      references: ['CIS-7.2'],
    },
    'empty-password': {
      means: 'An account has no password, and none is asked for',
      severity: 'critical',
      references: ['CIS-7.2', 'CWE-258'],
    },
    'password-in-passwd': {
      means: 'A password hash stands where every user can read it',
      severity: 'critical',
      references: ['CIS-7.2', 'CWE-522'],
    },
    'weak-password-hash': {
      means: 'Passwords are hashed in a way that is quickly guessed',
      severity: 'warning',
      references: ['CIS-5.4', 'CWE-916'],
    },
    'password-never-expires': {
      means: 'A password need not be changed within the wanted time',
      severity: 'warning',
      references: ['CIS-5.4'],
    },
    'password-policy-weak': {
      means: 'New passwords may be shorter than wanted',
      severity: 'warning',
      references: ['CIS-5.3', 'OWASP-A07:2021'],
    },
    'service-user-missing': {
      means: 'A service has no user of its own',
      severity: 'warning',
      references: [LEAST_PRIVILEGE, 'CWE-250'],
    },
    'service-user-loose': {
      means: 'The user of a service can log in, or is not made as one',
      severity: 'warning',
      references: [LEAST_PRIVILEGE, 'CIS-7.2'],
    },
    'service-user-privileged': {
      means: 'The user of a service is in a group whose members can become root',
      severity: 'critical',
      references: [LEAST_PRIVILEGE, 'CWE-250'],
    },
    'group-member-unknown': {
      means: 'Somebody is in a group whose list does not have him',
      severity: 'warning',
      references: [LEAST_PRIVILEGE],
    },
    'authorized-key-revoked': {
      means: 'A revoked key still lets somebody in over SSH',
      severity: 'critical',
      references: ['NIST-CSF-PR.AC-1'],
    },
    'authorized-key-unknown': {
      means: 'A key lets somebody in over SSH that is not in the list',
      severity: 'warning',
      references: ['NIST-CSF-PR.AC-1'],
    },
    'sudo-without-password': {
      means: 'Somebody may do anything by sudo without a password',
      severity: 'warning',
      references: ['CIS-5.2', LEAST_PRIVILEGE],
    },
  },
  config: configSchema,
  permissions: ({ authorizedKeys }) => ({
    check: {
      list: [...new Set(authorizedKeys.flatMap(expandBraces).filter(isGlob).map(globBase))],
      read: [
        '/etc/passwd',
        '/etc/group',
        '/etc/shadow',
        '/etc/login.defs',
        '/etc/security/pwquality.conf',
        '/etc/security/pwquality.conf.d',
        '/etc/pam.d',
        // What links in pam.d lead to on Fedora.
        '/etc/authselect',
        '/etc/sudoers',
        '/etc/sudoers.d',
        ...authorizedKeys.flatMap(expandBraces),
      ],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }),
  check: checkAccounts,
})
