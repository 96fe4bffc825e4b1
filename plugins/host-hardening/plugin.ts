import { definePlugin } from '../../agent/contract/mod.ts'
import { checkHardening } from './check.ts'
import { SYSTEM_BUS, TIMEDATECTL } from './clock.ts'
import { configSchema } from './config.ts'
import { corePatterns, STORES } from './core-dumps.ts'

export default definePlugin({
  name: 'host-hardening',
  summary:
    'Finds what makes a host an easier prey: plain disks, core dumps, loose mounts and kernel settings, a wrong clock',
  defaults: { schedule: '@hourly', timeout: '1m' },
  rules: {
    'path-not-encrypted': {
      means: 'A path that must be encrypted lies on plain storage',
      severity: 'warning',
      references: ['NIST-CSF-PR.DS-1', 'CWE-311'],
    },
    'swap-not-encrypted': {
      means: 'Memory is swapped to plain storage, or at all where it may not be',
      severity: 'warning',
      references: ['NIST-CSF-PR.DS-1', 'CWE-311'],
    },
    'core-dumps-kept': {
      means: 'Core dumps are kept, though they may hold decrypted secrets',
      severity: 'warning',
      references: ['CIS-1.5', 'CWE-528'],
    },
    'core-pattern-open': {
      means: 'Others can read or write where core dumps go, or the program that takes them',
      severity: 'warning',
      references: ['CWE-528'],
    },
    'setuid-core-dumps': {
      means: 'Programs that run with more rights than their user leave core dumps',
      severity: 'warning',
      references: ['CIS-1.5'],
    },
    'core-file-left': {
      means: 'A core dump lies where none may lie',
      severity: 'warning',
      references: ['CWE-528'],
    },
    'mount-flag-missing': {
      means: 'A file system for everybody lacks nosuid, nodev or another wanted flag',
      severity: 'warning',
      references: ['CIS-1.1.2'],
    },
    'not-own-mount': {
      means: 'A directory that must be a file system of its own is none',
      severity: 'warning',
      references: ['CIS-1.1.2'],
    },
    'sandbox-unavailable': {
      means: 'Services cannot make a sandbox with bubblewrap and user namespaces here',
      severity: 'warning',
      references: ['NIST-CSF-PR.PT-3'],
    },
    'sandbox-not-proven': {
      means: 'The user of a service has not made a sandbox of late, as it should to prove that it can',
      severity: 'warning',
      references: ['NIST-CSF-PR.PT-3'],
    },
    'kernel-setting-weak': {
      means: 'A protection of the kernel is off',
      severity: 'warning',
      references: ['CIS-1.5', 'CIS-3.3'],
    },
    'kernel-setting-loose': {
      means: 'A protection of the kernel that many systems leave off is off',
      severity: 'info',
      references: ['CIS-1.5'],
    },
    'kernel-setting-not-kept': {
      means: 'A protection of the kernel is on, but the next start switches it off',
      severity: 'warning',
      references: ['CIS-1.5', 'CIS-3.3'],
    },
    'dns-server-not-allowed': {
      means: 'This host asks a DNS server that is not in the list',
      severity: 'warning',
      references: ['NIST-CSF-PR.AC-5'],
    },
    'no-time-service': { means: 'Nobody keeps the clock', severity: 'warning', references: ['CIS-2.3'] },
    'clock-not-synchronised': {
      means: 'The clock agrees with no time server',
      severity: 'warning',
      references: ['CIS-2.3'],
    },
    'clock-off': {
      means: 'The clock is off by more than it may be',
      severity: 'warning',
      references: ['CIS-2.3'],
    },
  },
  config: configSchema,
  permissions: (config) => ({
    check: {
      list: [...config.coreFiles, ...STORES],
      read: [...READ, ...config.coreFiles.flatMap(corePatterns)],
      // Where the kernel may not be asked for its clock, systemd is.
      ...(config.time === 'required' && { run: [TIMEDATECTL], net: [`unix:${SYSTEM_BUS}`] }),
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }),
  check: checkHardening,
})

const SYSTEMD = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd`)

const READ = [
  '/proc/1/mountinfo',
  '/proc/self',
  '/proc/swaps',
  '/proc/sys',
  '/sys/devices/virtual/block',
  '/sys/fs/btrfs',
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
  // What links in sysctl.d lead to on Debian.
  '/etc/sysctl.conf',
  ...SYSTEMD.flatMap((directory) => [`${directory}/coredump.conf.d`, `${directory}/system.conf.d`]),
  '/etc/systemd/coredump.conf',
  '/etc/systemd/system.conf',
  '/etc/security/limits.conf',
  '/etc/security/limits.d',
  '/etc/apparmor.d',
  '/etc/resolv.conf',
  '/run/systemd/resolve',
  '/etc/docker/daemon.json',
  '/etc/chrony',
  '/etc/chrony.conf',
]
