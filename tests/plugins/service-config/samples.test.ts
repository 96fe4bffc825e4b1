import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

// What the documents of the programs show: it must be judged as the programs read it, not as the documents say.

test('check of an Ofelia as its security guide has it finds what does nothing, and what is weaker than meant', async () => {
  const ini = `[global]
web-auth-enabled = true
web-username = admin
web-password-hash = $2a$12$...  # bcrypt hash
web-secret-key = \${WEB_SECRET_KEY}
web-token-expiry = 24  # hours
allow-host-jobs-from-labels = false  # Restrict LocalJobs
webhook-allowed-hosts = hooks.slack.com, discord.com, ntfy.internal, 192.168.1.20

[job-run "isolated-job"]
image = myapp:latest
command = process-data
memory = 512m
memory-swap = 1g
cpu-shares = 512
cpu-quota = 50000
capabilities-drop = NET_RAW,SYS_ADMIN,SYS_MODULE
capabilities-add = NET_BIND_SERVICE
user = 1000:1000
network = none
dns = 10.0.0.1,10.0.0.2
volumes = /data:/data:ro
tmpfs = /tmp:rw,noexec,nosuid,size=100m
pull = always  # Always get latest security patches
delete = true
overlap = false
`
  using host = hostWith({ '/etc/ofelia/config.ini': ini }, { service: 'ofelia', units: [], compose: [] })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual([
    'ineffective-key 13 job-run.isolated-job.memory',
    'ineffective-key 14 job-run.isolated-job.memory-swap',
    'ineffective-key 15 job-run.isolated-job.cpu-shares',
    'ineffective-key 16 job-run.isolated-job.cpu-quota',
    'ineffective-key 17 job-run.isolated-job.capabilities-drop',
    'ineffective-key 18 job-run.isolated-job.capabilities-add',
    'ineffective-key 21 job-run.isolated-job.dns',
    'ineffective-key 22 job-run.isolated-job.volumes',
    'ineffective-key 23 job-run.isolated-job.tmpfs',
    'ineffective-key 24 job-run.isolated-job.pull',
    'ineffective-key 26 job-run.isolated-job.overlap',
    'mutable-image 11 job-run.isolated-job.image',
    'never-runs 10 job-run.isolated-job.schedule',
    'secret-in-configuration 4 global.web-password-hash',
    'undefined-variable 5 global.web-secret-key',
  ])
})

test('check of a bad Ofelia finds each thing that is bad in it', async () => {
  const ini = `[global]
enable-web = true
smtp-host = mail.example.org
smtp-password = hunter2hunter2

[job-run "prune"]
schedule = @weekly
image = alpine
command = true
memory = 512m
pull = always
overlap = false
`
  using host = hostWith({ '/etc/ofelia/config.ini': ini }, { service: 'ofelia', units: [], compose: [] })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual([
    'ineffective-key 10 job-run.prune.memory',
    'ineffective-key 11 job-run.prune.pull',
    'ineffective-key 12 job-run.prune.overlap',
    'mutable-image 8 job-run.prune.image',
    'no-authentication 2 global.web-auth-enabled'.replace(' 2 ', ' 1 '),
    'secret-in-configuration 4 global.smtp-password',
    'wide-bind 1 global.web-address',
  ])
  expect(
    findings
      .filter(({ severity }) => severity === 'critical')
      .map(({ rule }) => rule)
      .toSorted(),
  ).toEqual(['no-authentication', 'secret-in-configuration'])
  let rounds = 0
  // The image and what goes into a variable are for a person; all else goes by the command.
  for (let left = findings; ; left = (await host.check()).findings) {
    const next = left.find(({ remedy }) => /^(sed|printf)/.test(remedy ?? ''))
    if (!next) break
    host.carryOut(next.remedy ?? '')
    expect(++rounds).toBeLessThan(20)
  }
  expect(briefly((await host.check()).findings)).toEqual([
    'configuration-changed -',
    'missing-secret 1 global.web-secret-key',
    'mutable-image 12 job-run.prune.image',
    'undefined-variable 3 global.web-password-hash',
    'undefined-variable 8 global.smtp-password',
  ])
})

test('check of an rstmdb as its documents have it for production finds what is open', async () => {
  const config = `network:
  bind_addr: "0.0.0.0:7401"
  idle_timeout_secs: 600
  max_connections: 10000

auth:
  required: true
  # Load token hashes from external secrets file
  secrets_file: "/etc/rstmdb/tokens.secret"

storage:
  data_dir: "/var/lib/rstmdb"
  wal_segment_size_mb: 128
  fsync_policy:
    every_ms: 100
  max_machine_versions: 0

tls:
  enabled: true
  cert_path: "/etc/rstmdb/certs/server.crt"
  key_path: "/etc/rstmdb/certs/server.key"
  require_client_cert: false

metrics:
  enabled: true
  bind_addr: "0.0.0.0:9090"
`
  const tokens =
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\na5f3c6c86f1a6d3b8c4e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1\n'
  using host = hostWith(
    {
      '/etc/rstmdb/config.yaml': config,
      '/etc/rstmdb/tokens.secret': tokens,
      '/etc/rstmdb/certs/server.crt': '',
      '/etc/rstmdb/certs/server.key': '',
    },
    { service: 'rstmdb', units: [], compose: [] },
  )
  const { findings, blind } = await host.check()
  expect(blind).toEqual([])
  expect(briefly(findings)).toEqual([
    'known-token 1 line-1',
    'known-token 2 line-2',
    'no-client-certificate 22 tls.require_client_cert',
    'open-metrics 26 metrics.bind_addr',
    'wide-bind 2 network.bind_addr',
  ])
})
