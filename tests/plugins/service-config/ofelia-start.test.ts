import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

// What Ofelia is started with: which files, which variables, which labels.

const BCRYPT = `$2b$12$${'a'.repeat(53)}`
const WEB = `[global]
enable-web = true
web-address = 127.0.0.1:8081
web-auth-enabled = true
web-username = ops
web-password-hash = \${OFELIA_PW_HASH}
web-secret-key = \${WEB_SECRET_KEY}
`
const ENV = `OFELIA_PW_HASH='${BCRYPT}'\nWEB_SECRET_KEY=${'k'.repeat(64)}\n`
const unit = (service: string) =>
  `[Service]\nEnvironmentFile=/etc/ofelia/env\n${service}ExecStart=/usr/local/bin/ofelia daemon\n`
const look = (more: Record<string, string | Uint8Array>, settings = {}) =>
  hostWith(
    {
      '/etc/ofelia/config.ini': WEB,
      '/etc/ofelia/env': ENV,
      '/etc/systemd/system/ofelia.service': unit(''),
      ...more,
    },
    { service: 'ofelia', ...settings },
  )

test.each<[string, string, string[]]>([
  [
    'an address that wins',
    'Environment=OFELIA_WEB_ADDRESS=:8080\n',
    ['overridden 3 OFELIA_WEB_ADDRESS', 'wide-bind 3 OFELIA_WEB_ADDRESS'],
  ],
  ['the default address, which does not win', 'Environment=OFELIA_WEB_ADDRESS=:8081\n', []],
  ['a switch that cannot switch off', 'Environment=OFELIA_WEB_AUTH_ENABLED=false\n', []],
  [
    'a secret from a file, which it does not read',
    'Environment=OFELIA_WEB_SECRET_KEY_FILE=/run/secrets/web\n',
    ['ineffective-variable 3 OFELIA_WEB_SECRET_KEY_FILE'],
  ],
  [
    'a mail password from a file',
    'Environment=OFELIA_SMTP_PASSWORD_FILE=/run/secrets/smtp\n',
    ['ineffective-variable 3 OFELIA_SMTP_PASSWORD_FILE'],
  ],
  [
    'variables of jobs',
    'Environment=OFELIA_JOB_EXEC_BACKUP_SCHEDULE=@hourly\n',
    ['ineffective-variable 3 OFELIA_JOB_EXEC_BACKUP_SCHEDULE'],
  ],
  ['variables of other programs', 'Environment=DOCKER_HOST=tcp://docker:2376 TZ=UTC\n', []],
  [
    'a secret',
    `Environment=OFELIA_WEB_SECRET_KEY=${'s'.repeat(40)}\n`,
    ['secret-in-unit 3 OFELIA_WEB_SECRET_KEY'],
  ],
  [
    'a short secret',
    'Environment=OFELIA_WEB_SECRET_KEY=canary\n',
    ['secret-in-unit 3 OFELIA_WEB_SECRET_KEY', 'weak-secret 3 OFELIA_WEB_SECRET_KEY'],
  ],
])('check finds in a unit with %s what is wrong', async (_, service, found) => {
  using host = look({ '/etc/systemd/system/ofelia.service': unit(service) })
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
  expect(JSON.stringify(findings)).not.toMatch(/canary|ssss/)
})

test('check counts the options of the command line', async () => {
  const start = unit('').replace(
    'ofelia daemon',
    'ofelia daemon --web-address=0.0.0.0:8081 --enable-pprof --pprof-address :6060',
  )
  using host = look({ '/etc/systemd/system/ofelia.service': start })
  expect(briefly((await host.check()).findings)).toEqual([
    'open-profiler 3 --pprof-address',
    'overridden 3 --web-address',
    'wide-bind 3 --web-address',
  ])
})

test('check judges the web interface that variables alone switch on', async () => {
  using host = look({
    '/etc/ofelia/config.ini': '[global]\nlog-level = info\n',
    '/etc/ofelia/env': 'OFELIA_ENABLE_WEB=true\n',
  })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual([
    'no-authentication 1 global.web-auth-enabled',
    'wide-bind 1 global.web-address',
  ])
  expect(findings.find(({ rule }) => rule === 'no-authentication')?.severity).toBe('critical')
})

test('check reads the files of a pattern in the order of their names: the last one wins', async () => {
  using host = look({
    '/etc/systemd/system/ofelia.service': unit('').replace(
      'ofelia daemon',
      "ofelia daemon --config='/etc/ofelia/conf.d/*.ini'",
    ),
    '/etc/ofelia/config.ini': '[global]\nenable-web = true\n',
    '/etc/ofelia/conf.d/10-web.ini': WEB,
    '/etc/ofelia/conf.d/20-more.ini': '[global]\nweb-address = :8081\n',
  })
  const { findings } = await host.check()
  expect(findings.map(({ rule, subject, evidence }) => [rule, subject, evidence?.line])).toEqual([
    ['other-file-in-use', '/etc/ofelia/config.ini', null],
    ['wide-bind', '/etc/ofelia/conf.d/20-more.ini#global.web-address', 2],
  ])
})

test('check says that a file beside the one in use is not read', async () => {
  using host = look({
    '/etc/ofelia/conf.d/jobs.ini': '[job-local "x"]\nschedule = @daily\ncommand = /bin/true\n',
  })
  expect(briefly((await host.check()).findings)).toEqual(['other-file-in-use -'])
})

test('check is blind about values that only the start knows', async () => {
  using host = look({
    '/etc/systemd/system/ofelia.service': unit('PassEnvironment=OFELIA_PW_HASH\n').replace(
      'EnvironmentFile=/etc/ofelia/env\n',
      '',
    ),
  })
  const { findings, blind } = await host.check()
  expect(briefly(findings)).toEqual(['undefined-variable 7 global.web-secret-key'])
  expect(blind).toMatchObject([
    { subject: 'ofelia.service web-password-hash', rules: ['weak-password-hash'] },
  ])
})

const COMPOSE = `services:
  ofelia:
    image: ghcr.io/netresearch/ofelia:0.29.0
    command: ["daemon","--config=/etc/ofelia/config.ini","--state-file=/var/lib/ofelia/state.json"]
    env_file: ofelia.env
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro","./config.ini:/etc/ofelia/config.ini:ro","ofelia-state:/var/lib/ofelia"]
    ports: ["127.0.0.1:8081:8081"]
    labels: {ofelia.enabled: "true", ofelia.service: "true", ofelia.job-run.prune.schedule: "@weekly", ofelia.job-run.prune.image: "alpine:3.22"}
  db:
    image: postgres:17
    labels:
      ofelia.enabled: "true"
      ofelia.job-exec.vacuum.schedule: "@weekly"
      ofelia.job-exec.vacuum.command: "vacuumdb --all"
      ofelia.job-exec.vacuum.no-overlap: "true"
`
const inCompose = (
  change: [from: string, to: string] = ['', ''],
  config = WEB.replace('127.0.0.1:8081', ':8081'),
) => {
  expect(COMPOSE).toContain(change[0])
  return hostWith(
    {
      '/etc/ofelia/compose.yaml': COMPOSE.replace(change[0], () => change[1]),
      '/etc/ofelia/config.ini': config,
      '/etc/ofelia/ofelia.env': ENV,
    },
    { service: 'ofelia' },
  )
}

test('check judges Ofelia in a container by its published ports, with the jobs of labels', async () => {
  using host = inCompose()
  const { findings, blind, facts } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({
    findings: ['unpinned-image 8 ofelia.job-run.prune.image'],
    blind: [],
  })
  expect(facts?.map(({ subject, data }) => [subject, data.from])).toEqual([
    ['job-run prune', 'label'],
    ['job-exec vacuum', 'label'],
  ])
})

const IMAGE = 'unpinned-image 8 ofelia.job-run.prune.image'
test.each<[string, [string, string], string[]]>([
  ['a port for everybody', ['"127.0.0.1:8081:8081"', '"8081:8081"'], ['wide-bind 7 global.web-address']],
  [
    'a port by its long form',
    ['["127.0.0.1:8081:8081"]', '[{target: 8081, published: 8081}]'],
    ['wide-bind 7 global.web-address'],
  ],
  [
    'a setting that labels cannot change',
    ['ofelia.service: "true"', 'ofelia.service: "true", ofelia.web-auth-enabled: "false"'],
    ['label-without-effect 8 ofelia.labels.ofelia.web-auth-enabled'],
  ],
  [
    'a password in a label',
    ['ofelia.service: "true"', 'ofelia.service: "true", ofelia.smtp-password: canary'],
    ['secret-in-configuration 8 ofelia.global.smtp-password'],
  ],
  [
    'a key that there is not',
    ['ofelia.job-exec.vacuum.no-overlap', 'ofelia.job-exec.vacuum.overlap'],
    ['ineffective-key 15 db.job-exec.vacuum.overlap', 'overlap-allowed 13 db.job-exec.vacuum.no-overlap'],
  ],
  [
    'a service that is not enabled',
    ['      ofelia.enabled: "true"\n', ''],
    ['label-without-effect 12 db.labels.ofelia.job-exec.vacuum.schedule'],
  ],
  [
    'a job of the host',
    ['ofelia.job-exec.vacuum.command', 'ofelia.job-local.x.command'],
    [
      'broken-job 13 db.job-exec.vacuum.command',
      'label-without-effect 14 db.labels.ofelia.job-local.x.command',
    ],
  ],
  [
    'a kind of job that there is not',
    ['ofelia.job-exec.vacuum.command', 'ofelia.job-shell.x.command'],
    [
      'broken-job 13 db.job-exec.vacuum.command',
      'label-without-effect 14 db.labels.ofelia.job-shell.x.command',
    ],
  ],
  [
    'a mount of the host',
    ['ofelia.job-run.prune.image', 'ofelia.job-run.prune.volume: "/:/host:rw", ofelia.job-run.prune.image'],
    ['dangerous-mount 8 ofelia.job-run.prune.volume /', 'label-without-effect 8 ofelia.job-run.prune.volume'],
  ],
  [
    'a job as root',
    [
      'ofelia.job-exec.vacuum.no-overlap: "true"',
      'ofelia.job-exec.vacuum.no-overlap: "true"\n      ofelia.job-exec.vacuum.user: root',
    ],
    ['root-job 16 db.job-exec.vacuum.user'],
  ],
  [
    'a schedule that never comes',
    ['ofelia.job-exec.vacuum.schedule: "@weekly"', 'ofelia.job-exec.vacuum.schedule: "@weakly"'],
    ['never-runs 13 db.job-exec.vacuum.schedule'],
  ],
])('check finds in a Compose file with %s what is wrong', async (_, change, found) => {
  using host = inCompose(change)
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({
    findings: [...found, IMAGE].toSorted(),
    blind: [],
  })
  expect(JSON.stringify(findings)).not.toContain('canary')
})

test('check tells that an address of loopback in a container cannot be reached at all by its port', async () => {
  using host = inCompose(['"127.0.0.1:8081:8081"', '"8081:8081"'], WEB)
  // Nobody gets in: nothing to find but the image.
  expect(briefly((await host.check()).findings)).toEqual([IMAGE])
})

test('check says that Ofelia would start without a file that it cannot read', async () => {
  using host = look({ '/etc/ofelia/config.ini': '[global\nenable-web = true\n' })
  const { findings, blind, inapplicable } = await host.check()
  expect(briefly(findings)).toEqual(['would-not-start 1'])
  expect(blind?.map(({ subject }) => subject)).toEqual(['/etc/ofelia/config.ini'])
  expect(inapplicable?.map(({ rule }) => rule)).not.toContain('no-authentication')
})

test.each<[string, string | Uint8Array, number]>([
  ['a line that is nothing', '[global]\nenable-web = true\nwhat is this\n', 3],
  ['a value that never ends', '[global]\na = """x\n', 2],
  ['NUL bytes', '[global]\na = \0\n', 2],
])('check tells the line of %s', async (_, content, line) => {
  using host = look({ '/etc/ofelia/config.ini': content })
  expect((await host.check()).findings).toMatchObject([{ rule: 'would-not-start', evidence: { line } }])
})

test.each<[string, string, number | undefined, string[]]>([
  ['agrees', '#!/bin/sh\n[ "$1" = validate ]\n', undefined, []],
  ['refuses', '#!/bin/sh\necho canary\nexit 1\n', undefined, ['refused-by-program -']],
])('check asks the program, where it is told to, and it %s', async (_, script, _code, found) => {
  using host = hostWith({ '/srv/config.ini': '[global]\n' }, { service: 'ofelia' })
  host.write('/bin/ofelia', script, 0o755)
  using asked = hostWith(
    { '/etc/ofelia/config.ini': '[global]\nlog-level = info\n' },
    { service: 'ofelia', units: [], compose: [], ofelia: { program: `${host.root}/bin/ofelia` } },
  )
  const { findings, blind } = await asked.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
  expect(JSON.stringify(findings)).not.toContain('canary')
})

test('check is blind where the program that it is to ask is missing', async () => {
  using host = hostWith(
    { '/etc/ofelia/config.ini': '[global]\n' },
    { service: 'ofelia', units: [], compose: [], ofelia: { program: '/nowhere/ofelia' } },
  )
  expect((await host.check()).blind).toMatchObject([
    { subject: '/nowhere/ofelia', rules: ['refused-by-program'] },
  ])
})

test('check finds a program of a job that everybody can change', async () => {
  const job = '[job-local "sync"]\nschedule = @daily\ncommand = /opt/jobs/sync --all\n'
  using host = look({ '/etc/ofelia/config.ini': WEB + job })
  host.write('/opt/jobs/sync', '#!/bin/sh\n', 0o777)
  expect(briefly((await host.check()).findings)).toEqual([
    'local-job 8 job-local.sync',
    'writable-command 10 job-local.sync.command',
  ])
  host.write('/opt/jobs/sync', '#!/bin/sh\n', 0o755)
  expect(briefly((await host.check()).findings)).toEqual(['local-job 8 job-local.sync'])
})
