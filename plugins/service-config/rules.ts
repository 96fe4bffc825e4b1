import type { Finding, Rule, Scalar } from '../../agent/contract/mod.ts'
import { describePlace, type Place, subjectOf } from './setting.ts'

export const SERVICES = ['rostr', 'rstmdb', 'maestro', 'ofelia'] as const
export type Service = (typeof SERVICES)[number]

interface RuleOfServices extends Rule {
  /** Services that it is about. */
  of: readonly Service[]
}

const ALL = SERVICES
const MISCONFIGURATION = ['OWASP-A05:2021', 'NIST-CSF-PR.IP-1']
const AUTHENTICATION = ['OWASP-A07:2021', 'NIST-CSF-PR.AC-1']
const CRYPTOGRAPHY = ['OWASP-A02:2021', 'NIST-CSF-PR.DS-2']
const EXPOSURE = ['OWASP-A05:2021', 'NIST-CSF-PR.AC-5']
const SECRETS = ['OWASP-A02:2021', 'CWE-798']
const INJECTION = ['OWASP-A03:2021', 'CWE-78']
const PRIVILEGE = ['CWE-250', 'NIST-CSF-PR.AC-4']
const INTEGRITY = ['OWASP-A08:2021', 'NIST-CSF-PR.DS-6']

/** What each rule means, and about which programs it is. */
export const RULES = {
  'unknown-key': {
    of: ['rstmdb', 'maestro', 'ofelia'],
    means: 'A configuration has a key that its program does not know, and passes over in silence',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'ineffective-key': {
    of: ['rstmdb', 'ofelia'],
    means: 'A key stands in the documents of a program, and does nothing in it, or not what it says',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'deprecated-key': {
    of: ['ofelia'],
    means: 'A key still works, and will go with a coming version of its program',
    severity: 'info',
    references: [],
  },
  'duplicate-key': {
    of: ALL,
    means: 'A key stands twice in one place, so that one of its values is lost',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'wrong-value': {
    of: ['rstmdb', 'maestro', 'ofelia'],
    means: 'A setting has a value of another kind, or outside of what its program takes',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'truncated-value': {
    of: ['ofelia'],
    means: 'A value is cut off at a character that begins a comment for the program',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'undefined-variable': {
    of: ['ofelia'],
    means: 'A configuration refers to a variable that nothing sets: the text of the reference itself is used',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'ineffective-variable': {
    of: ['rostr', 'rstmdb', 'ofelia'],
    means: 'A variable of the environment is not read by its program, or passed over as it is written',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  overridden: {
    of: ['rstmdb', 'ofelia'],
    means: 'A variable of the environment says something else than the file, and wins',
    severity: 'info',
    references: MISCONFIGURATION,
  },
  'other-file-in-use': {
    of: ['rstmdb', 'ofelia'],
    means: 'The program reads another configuration than the one that lies where it is expected, or none',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'would-not-start': {
    of: ALL,
    means: 'With its configuration as it is now the program would not start again, or start without it',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-1'],
  },
  'configuration-changed': {
    of: ALL,
    means: 'The configuration of a service was changed, and nobody has said yet that it was looked over',
    severity: 'info',
    references: ['NIST-CSF-DE.CM-7', 'NIST-CSF-PR.IP-3'],
  },
  'secret-in-configuration': {
    of: ALL,
    means: 'A configuration holds a secret instead of a reference to one',
    severity: 'critical',
    references: SECRETS,
  },
  'secret-in-unit': {
    of: ALL,
    means: 'A unit or Compose file holds a secret, where everybody who may look at the service can read it',
    severity: 'warning',
    references: SECRETS,
  },
  'missing-secret': {
    of: ['rostr', 'maestro', 'ofelia'],
    means: 'A secret that the program needs is set nowhere',
    severity: 'warning',
    references: AUTHENTICATION,
  },
  'placeholder-secret': {
    of: ['rostr', 'maestro', 'ofelia'],
    means: 'A secret is the example from a document, or a word that anybody would try',
    severity: 'critical',
    references: ['OWASP-A07:2021', 'CWE-1392'],
  },
  'weak-secret': {
    of: ['rostr', 'maestro', 'ofelia'],
    means: 'A secret is shorter than it has to be',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'CWE-521'],
  },
  'no-authentication': {
    of: ['rstmdb', 'maestro', 'ofelia'],
    means: 'Whoever reaches the service may use it: it asks nobody who he is',
    severity: 'critical',
    references: AUTHENTICATION,
  },
  'known-token': {
    of: ['rstmdb'],
    means: 'A token is accepted that everybody can look up, or an empty one',
    severity: 'critical',
    references: ['OWASP-A07:2021', 'CWE-798'],
  },
  'plaintext-token': {
    of: ['rstmdb'],
    means: 'A token stands in clear where its hash should',
    severity: 'critical',
    references: ['OWASP-A02:2021', 'CWE-256'],
  },
  'malformed-token': {
    of: ['rstmdb'],
    means: 'The hash of a token is written so that no token ever matches it',
    severity: 'warning',
    references: AUTHENTICATION,
  },
  'inline-token': {
    of: ['rstmdb'],
    means: 'Hashes of tokens stand in the configuration or the environment, not in a file of their own',
    severity: 'info',
    references: AUTHENTICATION,
  },
  'shared-token': {
    of: ['rstmdb'],
    means: 'There are fewer tokens than services that use them',
    severity: 'warning',
    references: AUTHENTICATION,
  },
  unencrypted: {
    of: ['rstmdb', 'maestro'],
    means: 'What goes over the network to the service is not encrypted',
    severity: 'warning',
    references: CRYPTOGRAPHY,
  },
  'no-client-certificate': {
    of: ['rstmdb'],
    means: 'The service does not ask its clients for certificates',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'NIST-CSF-PR.AC-7'],
  },
  'wide-bind': {
    of: ['rstmdb', 'maestro', 'ofelia'],
    means: 'The service listens on all addresses, or on a public one',
    severity: 'warning',
    references: EXPOSURE,
  },
  'open-metrics': {
    of: ['rstmdb', 'maestro'],
    means: 'Metrics can be read by more than whoever collects them',
    severity: 'warning',
    references: EXPOSURE,
  },
  'unsafe-writes': {
    of: ['rstmdb'],
    means: 'Writes that were confirmed may be lost in a crash',
    severity: 'warning',
    references: ['NIST-CSF-PR.DS-6'],
  },
  'flush-allowed': {
    of: ['rstmdb'],
    means: 'Any client may empty the whole database by one command',
    severity: 'warning',
    references: ['NIST-CSF-PR.AC-4'],
  },
  'no-audit-log': {
    of: ['rstmdb'],
    means: 'The log is set so that operations and logins do not show in it',
    severity: 'warning',
    references: ['OWASP-A09:2021', 'NIST-CSF-PR.PT-1'],
  },
  'reload-kills': {
    of: ['rstmdb'],
    means: 'Something reloads a program that cannot be reloaded: the signal ends it, or nothing happens',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-1'],
  },
  'no-sandbox': {
    of: ['maestro'],
    means: 'Commands of a task may run without a sandbox',
    severity: 'critical',
    references: ['OWASP-A04:2021', 'CWE-653'],
  },
  'no-primary-provider': {
    of: ['maestro'],
    means: 'There are several ways to log in, and none is said to be the one',
    severity: 'warning',
    references: AUTHENTICATION,
  },
  administrators: {
    of: ['maestro'],
    means: 'Who becomes an administrator is not named, or these are too many',
    severity: 'warning',
    references: ['OWASP-A01:2021', ...PRIVILEGE],
  },
  'unstable-session-secret': {
    of: ['maestro'],
    means: 'The key of the sessions is neither set nor kept',
    severity: 'warning',
    references: AUTHENTICATION,
  },
  'insecure-cookie': {
    of: ['maestro'],
    means: 'The cookie of a session does not fit the way in which TLS ends',
    severity: 'warning',
    references: ['OWASP-A05:2021', 'CWE-614'],
  },
  'private-addresses-allowed': {
    of: ['maestro'],
    means: 'Requests to addresses within the network are not refused',
    severity: 'warning',
    references: ['OWASP-A10:2021', 'CWE-918'],
  },
  'tool-enabled': {
    of: ['maestro'],
    means: 'A tool is on that reaches further than the service itself',
    severity: 'info',
    references: ['NIST-CSF-PR.AC-4'],
  },
  'open-groups': {
    of: ['rostr'],
    means: 'A server may register itself in any group',
    severity: 'warning',
    references: ['OWASP-A01:2021', 'NIST-CSF-PR.AC-4'],
  },
  'weak-password-hash': {
    of: ['ofelia'],
    means: 'The hash of the password is none of bcrypt, or too cheap to try many passwords against',
    severity: 'warning',
    references: ['OWASP-A02:2021', 'CWE-916'],
  },
  'default-username': {
    of: ['ofelia'],
    means: 'The name to log in with is the one that everybody tries first',
    severity: 'info',
    references: AUTHENTICATION,
  },
  'long-session': {
    of: ['ofelia'],
    means: 'A login holds for longer than a day',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'CWE-613'],
  },
  'many-login-attempts': {
    of: ['ofelia'],
    means: 'Passwords may be tried faster than a person types them',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'CWE-307'],
  },
  'trusted-proxies': {
    of: ['ofelia'],
    means: 'Anybody may say from which address he comes',
    severity: 'warning',
    references: ['OWASP-A07:2021', 'CWE-290'],
  },
  'open-profiler': {
    of: ['ofelia'],
    means: 'The profiler shows the memory of the program to others than this host',
    severity: 'warning',
    references: EXPOSURE,
  },
  'host-jobs-from-labels': {
    of: ['ofelia'],
    means: 'Whoever may set the labels of a container may run commands on this host',
    severity: 'warning',
    references: ['OWASP-A01:2021', 'CWE-269'],
  },
  'local-job': {
    of: ['ofelia'],
    means: 'A job runs a command on the host itself, with the rights of the scheduler',
    severity: 'info',
    references: PRIVILEGE,
  },
  'root-job': {
    of: ['ofelia'],
    means: 'A job runs as root in its container, or with all privileges',
    severity: 'warning',
    references: PRIVILEGE,
  },
  'dangerous-mount': {
    of: ['ofelia'],
    means: 'A job may write to directories that give away the host',
    severity: 'critical',
    references: PRIVILEGE,
  },
  'dangerous-command': {
    of: ['ofelia'],
    means: 'A command destroys, downloads or loosens something: look twice whether that is meant',
    severity: 'warning',
    references: INJECTION,
  },
  'shell-command': {
    of: ['ofelia'],
    means: 'A command goes through a shell, or is written for one that it never sees',
    severity: 'info',
    references: INJECTION,
  },
  'writable-command': {
    of: ['ofelia'],
    means: 'Others than the owner can change the program that a job runs on the host',
    severity: 'critical',
    references: ['CWE-732', ...PRIVILEGE],
  },
  'overlap-allowed': {
    of: ['ofelia'],
    means: 'A job that must not run beside itself may do so',
    severity: 'warning',
    references: ['CWE-362'],
  },
  'never-runs': {
    of: ['ofelia'],
    means: 'A job has a schedule that never comes, or that the program does not understand',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-1'],
  },
  'broken-job': {
    of: ['ofelia'],
    means: 'A job lacks what it needs, or waits for a job that there is not',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-1'],
  },
  'mutable-image': {
    of: ['ofelia'],
    means: 'A job runs whatever an image is at the time: it has no tag, or one that moves',
    severity: 'warning',
    references: INTEGRITY,
  },
  'unpinned-image': {
    of: ['ofelia'],
    means: 'A job runs an image by its tag, which others can move, not by its digest',
    severity: 'info',
    references: INTEGRITY,
  },
  'readable-output': {
    of: ['ofelia'],
    means: 'What jobs print is saved so that everybody can read it',
    severity: 'warning',
    references: ['CWE-732'],
  },
  'events-off': {
    of: ['ofelia'],
    means: 'The scheduler does not see when containers come and go',
    severity: 'warning',
    references: ['NIST-CSF-DE.CM-7'],
  },
  'any-webhook-host': {
    of: ['ofelia'],
    means: 'Webhooks may go to any host',
    severity: 'warning',
    references: ['OWASP-A10:2021', 'CWE-918'],
  },
  'blocked-webhook': {
    of: ['ofelia'],
    means: 'A webhook goes to a host that is not allowed, so that it is never sent',
    severity: 'warning',
    references: ['NIST-CSF-DE.DP-4'],
  },
  'unencrypted-webhook': {
    of: ['rostr', 'ofelia'],
    means: 'A webhook is sent without encryption, or to an address that is none',
    severity: 'warning',
    references: CRYPTOGRAPHY,
  },
  'remote-presets': {
    of: ['ofelia'],
    means: 'Templates of messages may be fetched from elsewhere',
    severity: 'warning',
    references: INTEGRITY,
  },
  'unencrypted-mail': {
    of: ['ofelia'],
    means: 'Mail is sent, with its password, to a server that need not encrypt or prove itself',
    severity: 'warning',
    references: CRYPTOGRAPHY,
  },
  'label-without-effect': {
    of: ['ofelia'],
    means: 'A label of a container is one that the scheduler refuses or does not know',
    severity: 'warning',
    references: MISCONFIGURATION,
  },
  'refused-by-program': {
    of: ['ofelia'],
    means: 'The program itself says that its configuration is wrong',
    severity: 'warning',
    references: ['NIST-CSF-PR.IP-1'],
  },
} as const satisfies Record<string, RuleOfServices>

export type RuleId = keyof typeof RULES

/** Rules that are about a service. */
export function rulesOf(service: Service): RuleId[] {
  return RULE_IDS.filter((rule) => (RULES[rule].of as readonly Service[]).includes(service))
}

export const RULE_IDS = Object.keys(RULES).filter((rule): rule is RuleId => Object.hasOwn(RULES, rule))

export interface Complaint {
  /** Of the setting; empty for the file as a whole. */
  key: string
  place: Place
  summary: string
  remedy?: string | undefined
  severity?: Finding['severity']
  evidence?: Record<string, Scalar>
}

/** A finding about a setting, with the place at the end of its summary. */
export function complain(
  rule: RuleId,
  { key, place, summary, remedy, severity, evidence }: Complaint,
): Finding {
  const { severity: usual, references } = RULES[rule]
  return {
    rule,
    subject: subjectOf(place.path, key),
    severity: severity ?? usual,
    summary: `${summary} (${describePlace(place)})`,
    remedy,
    evidence: { path: place.path, line: place.line ?? null, ...evidence },
    references: [...references],
  }
}
