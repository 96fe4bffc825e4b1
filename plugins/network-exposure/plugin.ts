import { definePlugin } from '../../agent/contract/mod.ts'
import { checkExposure } from './check.ts'
import { configSchema } from './config.ts'
import { MANAGER_FILES } from './firewall/manager.ts'
import { PROGRAMS } from './look.ts'
import { CONTROL_GROUPS } from './processes.ts'

export default definePlugin({
  name: 'network-exposure',
  summary:
    'Finds ports that can be reached from farther away than they should: listeners, packet filter, containers',
  defaults: { schedule: '*/10 * * * *', timeout: '2m' },
  rules: {
    exposed: {
      means: 'A port can be reached from farther away than it is allowed to',
      severity: 'critical',
      references: ['OWASP-A05:2021', 'NIST-CSF-PR.AC-5'],
    },
    'unexpected-listener': {
      means: 'A port that nobody listed can be reached from elsewhere',
      severity: 'warning',
      references: ['NIST-CSF-DE.CM-7'],
    },
    'published-past-firewall': {
      means: 'A port of a container is published past the filter of what comes in',
      severity: 'critical',
      references: ['OWASP-A05:2021'],
    },
    'ipv6-less-filtered': {
      means: 'A port is filtered over IPv4, but not so over IPv6',
      severity: 'warning',
    },
    'beside-public-network': {
      means: 'A port on a private address is on an interface that is in a public network, too',
      severity: 'info',
    },
    'not-rate-limited': {
      means: 'Nothing limits how often one address may connect to a port, though that is required',
      severity: 'info',
    },
    'no-firewall': { means: 'What comes in is not filtered, though that is required', severity: 'warning' },
  },
  config: configSchema,
  permissions: () => ({
    check: {
      // A program looks for the network in a directory of /proc that is its own, and has no name before it runs.
      // The units of sockets are told by number only, and processes by their unit.
      read: ['/proc', '/etc/iproute2', CONTROL_GROUPS, ...MANAGER_FILES],
      net: ['netlink'],
      run: [[PROGRAMS.ss, '-Hlntue'], [PROGRAMS.nft, '-j', 'list', 'ruleset'], [PROGRAMS[4]], [PROGRAMS[6]]],
      // To see the rules of the packet filter the kernel wants the right to change them.
      capabilities: ['CAP_NET_ADMIN', 'CAP_NET_RAW'],
    },
  }),
  check: checkExposure,
})
