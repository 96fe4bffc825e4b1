import type { DeadKey } from '../schema.ts'

// netresearch/ofelia v0.29.0 (August 2026), from its structs: cli/config.go, cli/daemon.go, core/*job.go and
// middlewares/*.go. Names are compared without case, "-" and "_".

export type OfeliaKind =
  | 'boolean'
  | 'parsed-boolean'
  | 'integer'
  | 'duration'
  | 'text'
  | 'texts'
  | 'choice'
  | 'mode'

export interface OfeliaKey {
  key: string
  /** `parsed-boolean`: a text that is read as true or false when it is used; anything else means false. */
  kind: OfeliaKind
  min?: number
  max?: number
  choices?: readonly string[]
  /** Variable, and option of the daemon, that win over it where they say something else than the default. */
  variable?: string
  option?: string
  /** Its value is a secret. */
  secret?: true
  /** May be set by a label of Ofelia's own container. */
  label?: true
}

const SLACK: readonly OfeliaKey[] = [
  { key: 'slack-webhook', kind: 'text', secret: true, label: true },
  { key: 'slack-only-on-error', kind: 'boolean', label: true },
]

const SAVE: readonly OfeliaKey[] = [
  { key: 'save-folder', kind: 'text' },
  { key: 'save-only-on-error', kind: 'boolean', label: true },
  { key: 'save-mode', kind: 'mode' },
  { key: 'save-folder-mode', kind: 'mode' },
  { key: 'restore-history', kind: 'boolean', label: true },
  { key: 'restore-history-max-age', kind: 'duration', label: true },
]

const MAIL: readonly OfeliaKey[] = [
  { key: 'smtp-host', kind: 'text', label: true },
  { key: 'smtp-port', kind: 'integer', min: 0, max: 65_535, label: true },
  { key: 'smtp-user', kind: 'text', label: true },
  { key: 'smtp-password', kind: 'text', secret: true, label: true },
  { key: 'smtp-tls-skip-verify', kind: 'boolean', label: true },
  { key: 'smtp-tls-policy', kind: 'choice', choices: ['mandatory', 'opportunistic', 'none'], label: true },
  { key: 'email-to', kind: 'text', label: true },
  { key: 'email-from', kind: 'text', label: true },
  { key: 'email-subject', kind: 'text', label: true },
  { key: 'mail-only-on-error', kind: 'boolean', label: true },
]

const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'notice',
  'warn',
  'warning',
  'error',
  'fatal',
  'panic',
  'critical',
]

export const GLOBAL: readonly OfeliaKey[] = [
  ...SLACK,
  ...SAVE,
  ...MAIL,
  {
    key: 'log-level',
    kind: 'choice',
    choices: LOG_LEVELS,
    variable: 'OFELIA_LOG_LEVEL',
    option: 'log-level',
    label: true,
  },
  { key: 'enable-web', kind: 'boolean', variable: 'OFELIA_ENABLE_WEB', option: 'enable-web' },
  { key: 'web-address', kind: 'text', variable: 'OFELIA_WEB_ADDRESS', option: 'web-address' },
  {
    key: 'web-auth-enabled',
    kind: 'boolean',
    variable: 'OFELIA_WEB_AUTH_ENABLED',
    option: 'web-auth-enabled',
  },
  { key: 'web-username', kind: 'text', variable: 'OFELIA_WEB_USERNAME', option: 'web-username' },
  {
    key: 'web-password-hash',
    kind: 'text',
    secret: true,
    variable: 'OFELIA_WEB_PASSWORD_HASH',
    option: 'web-password-hash',
  },
  {
    key: 'web-secret-key',
    kind: 'text',
    secret: true,
    variable: 'OFELIA_WEB_SECRET_KEY',
    option: 'web-secret-key',
  },
  {
    key: 'web-token-expiry',
    kind: 'integer',
    min: 1,
    max: 8760,
    variable: 'OFELIA_WEB_TOKEN_EXPIRY',
    option: 'web-token-expiry',
  },
  {
    key: 'web-max-login-attempts',
    kind: 'integer',
    min: 1,
    max: 100,
    variable: 'OFELIA_WEB_MAX_LOGIN_ATTEMPTS',
    option: 'web-max-login-attempts',
  },
  {
    key: 'web-trusted-proxies',
    kind: 'texts',
    variable: 'OFELIA_WEB_TRUSTED_PROXIES',
    option: 'web-trusted-proxies',
  },
  { key: 'enable-pprof', kind: 'boolean', variable: 'OFELIA_ENABLE_PPROF', option: 'enable-pprof' },
  { key: 'pprof-address', kind: 'text', variable: 'OFELIA_PPROF_ADDRESS', option: 'pprof-address' },
  { key: 'max-runtime', kind: 'duration', label: true },
  { key: 'allow-host-jobs-from-labels', kind: 'boolean' },
  { key: 'enable-strict-validation', kind: 'boolean', label: true },
  { key: 'default-user', kind: 'text' },
  { key: 'job-exec-label-scope', kind: 'text' },
  { key: 'notification-cooldown', kind: 'duration', label: true },
  { key: 'webhook-webhooks', kind: 'text', label: true },
  { key: 'webhook-allow-remote-presets', kind: 'boolean' },
  { key: 'webhook-trusted-preset-sources', kind: 'text' },
  { key: 'webhook-preset-cache-ttl', kind: 'duration', label: true },
  { key: 'webhook-preset-cache-dir', kind: 'text' },
  { key: 'webhook-allowed-hosts', kind: 'text' },
  { key: 'webhook-default-preset', kind: 'text', label: true },
]

export const DOCKER: readonly OfeliaKey[] = [
  { key: 'filters', kind: 'texts', variable: 'OFELIA_DOCKER_FILTER', option: 'docker-filter' },
  {
    key: 'include-stopped',
    kind: 'boolean',
    variable: 'OFELIA_DOCKER_INCLUDE_STOPPED',
    option: 'docker-include-stopped',
  },
  { key: 'config-poll-interval', kind: 'duration' },
  { key: 'events', kind: 'boolean', variable: 'OFELIA_DOCKER_EVENTS', option: 'docker-events' },
  { key: 'docker-poll-interval', kind: 'duration' },
  { key: 'polling-fallback', kind: 'duration' },
  {
    key: 'poll-interval',
    kind: 'duration',
    variable: 'OFELIA_POLL_INTERVAL',
    option: 'docker-poll-interval',
  },
  { key: 'no-poll', kind: 'boolean', variable: 'OFELIA_DOCKER_NO_POLL', option: 'docker-no-poll' },
  {
    key: 'startup-retry-count',
    kind: 'integer',
    min: 0,
    variable: 'OFELIA_DOCKER_STARTUP_RETRY_COUNT',
    option: 'docker-startup-retry-count',
  },
  {
    key: 'startup-retry-interval',
    kind: 'duration',
    variable: 'OFELIA_DOCKER_STARTUP_RETRY_INTERVAL',
    option: 'docker-startup-retry-interval',
  },
]

export const WEBHOOK: readonly OfeliaKey[] = [
  { key: 'preset', kind: 'text' },
  { key: 'id', kind: 'text' },
  { key: 'secret', kind: 'text', secret: true },
  { key: 'url', kind: 'text' },
  { key: 'link', kind: 'text' },
  { key: 'link-text', kind: 'text' },
  { key: 'device', kind: 'text' },
  { key: 'trigger', kind: 'choice', choices: ['always', 'error', 'success', 'skipped'] },
  { key: 'timeout', kind: 'duration' },
  { key: 'retry-count', kind: 'integer', min: 0 },
  { key: 'retry-delay', kind: 'duration' },
]

const ANY_JOB: readonly OfeliaKey[] = [
  { key: 'schedule', kind: 'text' },
  { key: 'name', kind: 'text' },
  { key: 'command', kind: 'text' },
  { key: 'run-on-startup', kind: 'boolean' },
  { key: 'history-limit', kind: 'integer', min: 0 },
  { key: 'max-retries', kind: 'integer', min: 0 },
  { key: 'retry-delay-ms', kind: 'integer', min: 0 },
  { key: 'retry-exponential', kind: 'boolean' },
  { key: 'retry-max-delay-ms', kind: 'integer', min: 0 },
  { key: 'depends-on', kind: 'texts' },
  { key: 'on-success', kind: 'texts' },
  { key: 'on-failure', kind: 'texts' },
  { key: 'allow-parallel', kind: 'boolean' },
  { key: 'no-overlap', kind: 'boolean' },
  { key: 'webhooks', kind: 'text' },
  ...SLACK,
  ...SAVE,
  ...MAIL,
]

const CONSOLE: readonly OfeliaKey[] = [
  { key: 'tty', kind: 'boolean' },
  { key: 'console-size', kind: 'text' },
  { key: 'console-height', kind: 'integer', min: 0 },
  { key: 'console-width', kind: 'integer', min: 0 },
]

const NEW_CONTAINER: readonly OfeliaKey[] = [
  { key: 'user', kind: 'text' },
  { key: 'delete', kind: 'parsed-boolean' },
  { key: 'image', kind: 'text' },
  { key: 'network', kind: 'text' },
  { key: 'hostname', kind: 'text' },
  { key: 'volume', kind: 'texts' },
  { key: 'environment', kind: 'texts' },
  { key: 'env-file', kind: 'texts' },
  { key: 'env-from', kind: 'texts' },
  { key: 'annotations', kind: 'texts' },
  { key: 'max-runtime', kind: 'duration' },
  { key: 'stop-signal', kind: 'text' },
  { key: 'stop-timeout', kind: 'text' },
  ...CONSOLE,
]

export const JOB_TYPES = ['job-exec', 'job-run', 'job-service-run', 'job-local', 'job-compose'] as const
export type JobType = (typeof JOB_TYPES)[number]

export const JOBS: Readonly<Record<JobType, readonly OfeliaKey[]>> = {
  'job-exec': [
    ...ANY_JOB,
    { key: 'container', kind: 'text' },
    { key: 'user', kind: 'text' },
    { key: 'environment', kind: 'texts' },
    { key: 'env-file', kind: 'texts' },
    { key: 'env-from', kind: 'texts' },
    { key: 'working-dir', kind: 'text' },
    { key: 'privileged', kind: 'boolean' },
    { key: 'max-runtime', kind: 'duration' },
    ...CONSOLE,
  ],
  'job-run': [
    ...ANY_JOB,
    ...NEW_CONTAINER,
    { key: 'container', kind: 'text' },
    { key: 'container-name', kind: 'text' },
    { key: 'entrypoint', kind: 'text' },
    { key: 'pull', kind: 'parsed-boolean' },
    { key: 'volumes-from', kind: 'texts' },
    { key: 'working-dir', kind: 'text' },
  ],
  'job-service-run': [
    ...ANY_JOB,
    ...NEW_CONTAINER,
    { key: 'dir', kind: 'text' },
    { key: 'volumes-from', kind: 'texts' },
  ],
  'job-local': [...ANY_JOB, { key: 'dir', kind: 'text' }, { key: 'environment', kind: 'texts' }],
  'job-compose': [
    ...ANY_JOB,
    { key: 'file', kind: 'text' },
    { key: 'service', kind: 'text' },
    { key: 'exec', kind: 'boolean' },
  ],
}

const NO_LIMITS =
  'limits are a matter of the container runtime: set them for the daemon, or in a Compose file'

/** Keys that documents of Ofelia had, and no version read: by the section that they stand in. */
export const DEAD_JOB_KEYS: readonly DeadKey[] = [
  { key: 'memory', instead: NO_LIMITS },
  { key: 'memory-swap', instead: NO_LIMITS },
  { key: 'cpu-shares', instead: NO_LIMITS },
  { key: 'cpu-quota', instead: NO_LIMITS },
  { key: 'capabilities-add', instead: 'the container gets the usual capabilities' },
  {
    key: 'capabilities-drop',
    instead: 'no capability is dropped: set "default-capabilities" of the runtime, or run by Compose',
  },
  { key: 'cap-add', instead: 'the container gets the usual capabilities' },
  { key: 'cap-drop', instead: 'no capability is dropped' },
  { key: 'dns', instead: 'the container asks the servers of the runtime' },
  { key: 'tmpfs', instead: 'nothing is mounted' },
  { key: 'volumes', instead: 'nothing is mounted: the key is volume, once for each mount' },
  { key: 'devices', instead: 'no device is passed on' },
  { key: 'labels', instead: 'the container gets no labels; annotations are read' },
  { key: 'overlap', instead: 'runs may overlap: write no-overlap = true' },
  { key: 'delay', instead: 'nothing waits' },
  { key: 'delete-timeout', instead: 'nothing waits' },
  { key: 'restart-on-failure', instead: 'nothing is restarted: write max-retries' },
  { key: 'restart-policy', instead: 'nothing is restarted: write max-retries' },
  { key: 'restart-delay', instead: 'write retry-delay-ms' },
  { key: 'restart-max-attempts', instead: 'write max-retries' },
  { key: 'replicas', instead: 'the service runs once' },
  { key: 'placement-constraints', instead: 'the service runs anywhere' },
  { key: 'resources-limits-cpu', instead: NO_LIMITS },
  { key: 'resources-limits-memory', instead: NO_LIMITS },
  { key: 'resources-reservations-cpu', instead: NO_LIMITS },
  { key: 'resources-reservations-memory', instead: NO_LIMITS },
  { key: 'read-only', instead: 'the file system of the container is writable' },
  { key: 'security-opt', instead: 'nothing is set' },
  { key: 'timeout', instead: 'the job runs on: write max-runtime, which new containers and services know' },
  { key: 'slack-url', instead: 'write slack-webhook, or a section [webhook "name"]' },
  { key: 'slack-channel', instead: 'the webhook decides' },
  { key: 'slack-mentions', instead: 'nobody is mentioned' },
  { key: 'slack-icon-emoji', instead: 'the webhook decides' },
  { key: 'slack-username', instead: 'the webhook decides' },
  { key: 'email-only-on-error', instead: 'mail is always sent: write mail-only-on-error' },
  { key: 'save-format', instead: 'text and JSON are both saved' },
  { key: 'save-retention', instead: 'nothing is ever removed: rotate the folder' },
]

export const DEAD_GLOBAL_KEYS: readonly DeadKey[] = [
  ...DEAD_JOB_KEYS,
  { key: 'docker-host', instead: 'set DOCKER_HOST in its environment' },
  { key: 'docker-poll-interval', instead: 'it belongs into [docker]' },
  { key: 'docker-events', instead: 'write events in [docker]' },
  { key: 'jwt-secret', instead: 'write web-secret-key' },
  { key: 'jwt-expiry-hours', instead: 'write web-token-expiry' },
  { key: 'jwt-refresh-enabled', instead: 'logins are not renewed' },
  { key: 'jwt-refresh-hours', instead: 'logins are not renewed' },
  { key: 'web-username-file', instead: 'write web-username' },
  { key: 'web-secret-key-file', instead: 'write web-secret-key, as a reference to a variable' },
]

/** In sections of one kind only. */
export const DEAD_KEYS_OF: Readonly<Partial<Record<JobType, readonly DeadKey[]>>> = {
  'job-local': [
    { key: 'user', instead: 'the command runs as the user of Ofelia itself' },
    { key: 'container', instead: 'the command runs on the host' },
    { key: 'max-runtime', instead: 'the command runs for as long as it likes' },
  ],
  'job-compose': [
    { key: 'project', instead: 'the Compose file decides' },
    { key: 'dir', instead: 'name the Compose file by file' },
    { key: 'environment', instead: 'the environment of Ofelia itself is passed on' },
    { key: 'user', instead: 'the Compose file decides' },
    { key: 'max-runtime', instead: 'the command runs for as long as it likes' },
  ],
}

/** What will go with version 1.0. */
export const DEPRECATED: readonly DeadKey[] = [
  { key: 'slack-webhook', instead: 'write a section [webhook "name"] with preset = slack' },
  { key: 'poll-interval', instead: 'write config-poll-interval and docker-poll-interval' },
  { key: 'no-poll', instead: 'write docker-poll-interval = 0' },
]

/** Variables that are read beside those of keys. */
export const OTHER_VARIABLES = ['OFELIA_CONFIG', 'OFELIA_STATE_FILE', 'OFELIA_USE_DOCKER_EVENTS']

/** Hosts that presets send to by themselves. */
export const PRESET_HOSTS: Readonly<Record<string, string>> = {
  slack: 'hooks.slack.com',
  discord: 'discord.com',
  pushover: 'api.pushover.net',
  pagerduty: 'events.pagerduty.com',
  ntfy: 'ntfy.sh',
  'ntfy-token': 'ntfy.sh',
  healthchecks: 'hc-ping.com',
}
