import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { dirname } from 'node:path'
import { z } from 'zod'
import { reeveBinary } from '../kit/binary.ts'
import { SystemdHost, whyNoSystemdHost } from '../kit/systemd-host/host.ts'

setDefaultTimeout(120_000)

const reason = whyNoSystemdHost()
const onHost = reason === undefined ? describe : describe.skip
if (reason !== undefined) test.skip(`log-review reads a real journal [${reason}]`, () => {})

const CONFIG = `
stateDir: /var/lib/reeve
api: { listen: "127.0.0.1:0", socket: /run/reeve.sock }
jobs:
  logs:
    plugin: log-review
    config:
      failedLogins: { atMost: 5, guesses: 3 }
      failures: [{ name: app, unit: app.service, pattern: "^login failed", atMost: 2 }]
      retention: [{ paths: [/var/log/journal], atLeast: 90d }]
`

onHost('log-review on a host with systemd', () => {
  let host: SystemdHost
  beforeAll(async () => {
    host = await SystemdHost.boot('logs', { mounts: { [dirname(reeveBinary())]: '/opt/reeve' } })
    await shell(
      'mkdir -p /etc/reeve && cat > /etc/reeve/reeve.yaml <<"END"\n' +
        CONFIG +
        '\nEND\nchmod 600 /etc/reeve/reeve.yaml',
    )
  })
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]()
  })

  const shell = (text: string) => host.succeed('sh', '-c', text)
  const look = async () => {
    const { stdout, stderr } = await host.run(
      '/opt/reeve/reeve',
      'run',
      'logs',
      '--json',
      '--config',
      '/etc/reeve/reeve.yaml',
    )
    const [run] = z
      .array(z.object({ outcome: z.string(), blind: z.number(), reason: z.string().nullable() }))
      .parse(JSON.parse(stdout))
    const found = await host.run(
      '/opt/reeve/reeve',
      'findings',
      '--json',
      '--config',
      '/etc/reeve/reeve.yaml',
    )
    const findings = z
      .array(z.object({ rule: z.string(), subject: z.string() }))
      .parse(JSON.parse(found.stdout))
    return { run, stderr, findings: findings.map(({ rule, subject }) => `${rule} ${subject}`).toSorted() }
  }
  const log = (program: string, message: string) => `logger -t ${program} '${message}'`

  test('it is content with a fresh host, and finds failed logins, guessed ones, failures of a unit, and a short journal', async () => {
    const fresh = await look()
    expect(fresh).toMatchObject({ run: { outcome: 'clean', blind: 0 }, findings: [] })
    const failed = Array.from({ length: 6 }, (_, port) =>
      log('sshd', `Failed password for root from 192.0.2.1 port ${port} ssh2`),
    )
    await shell([...failed, log('sshd', 'Accepted password for root from 192.0.2.1 port 99 ssh2')].join('\n'))
    // Anybody can say so; only what root says counts.
    await shell(
      `setpriv --reuid=65534 --clear-groups ${log('sshd', 'Accepted password for kim from 192.0.2.1 port 98 ssh2')}`,
    )
    await shell("systemd-run --quiet --wait --unit=app sh -c 'for n in 1 2 3; do echo login failed; done'")
    await shell(
      "mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nMaxRetentionSec=7day\\n' > /etc/systemd/journald.conf.d/a.conf; journalctl --sync",
    )
    const later = await look()
    expect(later).toMatchObject({
      run: { outcome: 'findings', blind: 0 },
      findings: [
        'failed-logins ssh',
        'journal-retention /var/log/journal',
        'login-after-failures root from 192.0.2.1',
        'too-many-failures app',
      ],
    })
  })

  test('it is blind, not content, for a user who may not see the journal', async () => {
    await shell(
      'cp -r /etc/reeve /tmp/try && sed -i "s#/var/lib/reeve#/tmp/try/state#; s#/run/reeve.sock#/tmp/try/sock#" /tmp/try/reeve.yaml && chown -R 65534 /tmp/try',
    )
    const { stdout } = await host.run(
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
      '/opt/reeve/reeve',
      'run',
      'logs',
      '--json',
      '--config',
      '/tmp/try/reeve.yaml',
    )
    const [run] = z.array(z.object({ outcome: z.string(), blind: z.number() })).parse(JSON.parse(stdout))
    expect(run?.blind).toBeGreaterThan(0)
    // As the service of reeve runs: an ordinary user with the right to read.
    const caps = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
    const service = await host.run(
      ...['setpriv', '--reuid=65534', '--clear-groups', ...caps],
      ...['/opt/reeve/reeve', 'run', 'logs', '--json', '--config', '/tmp/try/reeve.yaml'],
    )
    expect(JSON.parse(service.stdout)).toMatchObject([{ blind: 0, outcome: 'findings' }])
  })
})
