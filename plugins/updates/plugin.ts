import { ANY_ARGUMENTS, definePlugin, globBase, isGlob } from '../../agent/contract/mod.ts'
import { checkUpdates } from './check.ts'
import { type Config, configSchema } from './config.ts'
import { APT_HELPER } from './security.ts'

const OUTDATED = 'OWASP-A06:2021'

export default definePlugin({
  name: 'updates',
  summary:
    'Finds security updates that wait, restarts that are due, and programs that are out of date; offline',
  defaults: { schedule: '@hourly', timeout: '2m' },
  rules: {
    'security-update-overdue': {
      means: 'A security update has been pending for longer than it may be',
      severity: 'warning',
      references: [OUTDATED, 'CIS-1.2', 'NIST-CSF-PR.IP-12'],
    },
    'security-update-pending': {
      means: 'A security update is pending, not yet for long',
      severity: 'info',
      references: [OUTDATED],
    },
    'lists-stale': {
      means: 'What is known of the package sources is too old to tell which updates there are',
      severity: 'warning',
      references: ['CIS-1.2'],
    },
    'no-security-source': {
      means: 'No package source is one of security updates',
      severity: 'critical',
      references: ['CIS-1.2'],
    },
    'reboot-overdue': {
      means: 'A restart has been due for longer than it may be',
      severity: 'warning',
      references: [OUTDATED],
    },
    'reboot-pending': { means: 'A restart is due, not yet for long', severity: 'info' },
    'no-automatic-updates': {
      means: 'Security updates are not installed by themselves',
      severity: 'warning',
      references: [OUTDATED, 'NIST-CSF-PR.IP-12'],
    },
    'automatic-updates-stale': {
      means: 'What installs updates by itself has not run for long',
      severity: 'warning',
      references: [OUTDATED],
    },
    'program-outdated': {
      means: 'A program is older than the version that is wanted',
      severity: 'warning',
      references: [OUTDATED],
    },
    'program-not-updated': {
      means: 'A program was last updated too long ago',
      severity: 'warning',
      references: [OUTDATED],
    },
  },
  config: configSchema,
  permissions: (config) => ({
    check: {
      list: ['/boot', ...patternBases(config)],
      read: [
        '/var/lib/dpkg/status',
        '/var/lib/apt/lists',
        // What the program of apt reads to know its settings and architectures.
        '/usr/share/dpkg',
        '/etc/apt/apt.conf',
        '/etc/apt/apt.conf.d',
        '/etc/dnf/automatic.conf',
        '/run/reboot-required.pkgs',
        '/proc/sys/kernel/osrelease',
        '/proc/sys/kernel/version',
        ...config.programs.flatMap(({ installed }) =>
          'file' in installed
            ? [installed.file]
            : 'directory' in installed
              ? [`${installed.directory}/.git/logs/HEAD`]
              : [],
        ),
      ],
      run: [
        [APT_HELPER, 'cat-file', ANY_ARGUMENTS],
        ...config.programs.flatMap(({ installed }) => ('program' in installed ? [installed.program] : [])),
      ],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  }),
  check: checkUpdates,
})

/** Directories whose names tell when something was updated. */
function patternBases({ programs }: Config): string[] {
  return programs.flatMap(({ installed }) => {
    if ('directory' in installed) return [globBase(installed.directory)]
    return 'file' in installed && isGlob(installed.file) ? [globBase(installed.file)] : []
  })
}
