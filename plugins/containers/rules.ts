import type { Rule } from '../../agent/contract/mod.ts'

// "CIS-Docker-1.3" is the CIS Docker Benchmark 1.3.1.
const MISCONFIGURATION = 'OWASP-A05:2021'

/** About a container or a service of a compose file. */
export const CONTAINER_RULES = {
  privileged: {
    means: 'A container is privileged: it has every capability and every device of the host',
    severity: 'critical',
    references: ['CIS-Docker-1.3-5.4', 'CWE-250', MISCONFIGURATION],
  },
  'dangerous-capability': {
    means: 'A container is given capabilities that containers do not have',
    severity: 'critical',
    references: ['CIS-Docker-1.3-5.3', 'CWE-250'],
  },
  'capabilities-kept': {
    means: 'A container keeps capabilities beyond those that it is allowed',
    severity: 'info',
    references: ['CIS-Docker-1.3-5.3', 'CWE-250'],
  },
  'privilege-escalation': {
    means: 'Processes of a container can gain privileges by setuid programs',
    severity: 'info',
    references: ['CIS-Docker-1.3-5.25'],
  },
  unconfined: {
    means: 'Seccomp, AppArmor or SELinux is switched off for a container',
    severity: 'warning',
    references: ['CIS-Docker-1.3-5.1', 'CIS-Docker-1.3-5.2', 'CIS-Docker-1.3-5.21'],
  },
  'root-user': {
    means: 'A container runs as root',
    severity: 'warning',
    references: ['CIS-Docker-1.3-4.1', 'CWE-250'],
  },
  'writable-root': {
    means: 'The root file system of a container is writable',
    severity: 'info',
    references: ['CIS-Docker-1.3-5.12'],
  },
  'temporary-files': {
    means: 'Temporary files of a container are where programs can be run, or take any room',
    severity: 'info',
  },
  'memory-unlimited': {
    means: 'A container has no limit of memory',
    severity: 'warning',
    references: ['CIS-Docker-1.3-5.10', 'CWE-770'],
  },
  'cpu-unlimited': {
    means: 'A container has no limit of processor time',
    severity: 'info',
    references: ['CWE-770'],
  },
  'pids-unlimited': {
    means: 'A container has no limit of processes',
    severity: 'info',
    references: ['CIS-Docker-1.3-5.28', 'CWE-770'],
  },
  'host-network': {
    means: 'A container shares the network of the host',
    severity: 'warning',
    references: ['CIS-Docker-1.3-5.9', 'CWE-668'],
  },
  'default-network': {
    means: 'A container is on the default network, with all others that are',
    severity: 'info',
    references: ['CIS-Docker-1.3-5.29'],
  },
  'host-namespace': {
    means: 'A container shares a namespace of the host other than its network',
    severity: 'critical',
    references: ['CIS-Docker-1.3-5.15', 'CIS-Docker-1.3-5.16', 'CIS-Docker-1.3-5.20', 'CIS-Docker-1.3-5.30'],
  },
  'engine-socket-mounted': {
    means: 'A container has the socket of an engine; read-only does not limit what it asks for',
    severity: 'critical',
    references: ['CIS-Docker-1.3-5.31', 'CWE-250'],
  },
  'host-path-mounted': {
    means: 'A container can write, or read secrets, in a directory of the host that decides about it',
    severity: 'critical',
    references: ['CIS-Docker-1.3-5.5', 'CWE-668'],
  },
  'published-everywhere': {
    means: 'A container publishes a port on every address of the host',
    severity: 'warning',
    references: ['CIS-Docker-1.3-5.13', 'CWE-668'],
  },
  'mutable-tag': {
    means: 'An image is named without a tag, or as "latest"',
    severity: 'warning',
    references: ['OWASP-A08:2021'],
  },
  'image-unpinned': {
    means: 'An image is named by a tag alone, not by its digest',
    severity: 'info',
    references: ['OWASP-A08:2021'],
  },
  'untrusted-registry': {
    means: 'An image comes from a registry that is not listed',
    severity: 'warning',
    references: ['OWASP-A08:2021'],
  },
  'foreign-dns': { means: 'A container asks name servers that are not listed', severity: 'warning' },
} as const satisfies Record<string, Rule>

/** About what only a running engine knows. */
export const RUNNING_RULES = {
  'image-old': {
    means: 'A container runs an image that was built too long ago',
    severity: 'warning',
    references: ['OWASP-A06:2021'],
  },
  'container-stale': {
    means: 'A container that was made for one job is still there long after its end',
    severity: 'warning',
  },
  'bind-owner': {
    means: 'A directory that a rootless container mounts is not of its user',
    severity: 'info',
  },
} as const satisfies Record<string, Rule>

/** About the engine and who may command it. */
export const SYSTEM_RULES = {
  'socket-open': {
    means: 'Others than root and the group of the engine can open its socket',
    severity: 'critical',
    references: ['CIS-Docker-1.3-3.15', 'CIS-Docker-1.3-3.16', 'CWE-732'],
  },
  'engine-group-member': {
    means: 'A user who is not listed is in the group of the engine, and can become root',
    severity: 'warning',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'api-without-tls': {
    means: 'The API of the engine is offered or used over TCP without client certificates',
    severity: 'critical',
    references: ['CIS-Docker-1.3-2.6', 'CWE-306', MISCONFIGURATION],
  },
  'api-key-open': {
    means: 'A key for the API of the engine can be read by others than its owner',
    severity: 'critical',
    references: ['CWE-732'],
  },
  'insecure-registry': {
    means: 'Images of a registry are fetched without looking whom they come from',
    severity: 'warning',
    references: ['CIS-Docker-1.3-2.4', 'CWE-295'],
  },
  'rootful-engine': {
    means: 'An engine runs as root, although none is to',
    severity: 'warning',
    references: ['CWE-250'],
  },
  'subordinate-ids': {
    means: 'A user with a rootless engine has too few ids for it, or shares them',
    severity: 'warning',
  },
  'rootless-helper-missing': {
    means: 'A program that a rootless engine needs is missing',
    severity: 'warning',
  },
  'engine-through-sudo': {
    means: 'Somebody may run an engine by sudo, and can become root with it',
    severity: 'warning',
    references: ['CWE-250', 'NIST-CSF-PR.AC-4'],
  },
  'scan-overdue': {
    means: 'The last scan of images for known holes is too long ago',
    severity: 'warning',
    references: ['OWASP-A06:2021'],
  },
} as const satisfies Record<string, Rule>
