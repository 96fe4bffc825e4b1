import { expect, test } from 'bun:test'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { interpolate, parseEnvironment } from '../../../plugins/containers/compose/interpolate.ts'
import plugin from '../../../plugins/containers/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

const GOOD = `services:
  web:
    image: ghcr.io/example/web:1.2@${DIGEST}
    user: "1000:1000"
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ["no-new-privileges:true"]
    tmpfs: ["/tmp:noexec,nosuid,size=64m"]
    mem_limit: 512m
    cpus: 0.5
    pids_limit: 200
    ports: ["127.0.0.1:8080:80"]
`

/** The report about these files below /srv/app. */
async function lint(files: Record<string, string>, config: Record<string, unknown> = {}) {
  using root = temporaryDirectory()
  for (const [name, text] of Object.entries({
    '../../etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '../../etc/group': '',
    ...files,
  })) {
    const path = join(root.path, 'srv/app', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  mkdirSync(join(root.path, 'proc'))
  const run = pluginUnderTest(
    plugin,
    { compose: ['/srv/app/{compose,docker-compose}*.{yaml,yml}'], ...config },
    {
      root: root.path,
      stateDir: '/state',
    },
  )
  return await run.check()
}

/** "rule line subject", without what all have in common. */
async function brief(files: Record<string, string>, config?: Record<string, unknown>): Promise<string[]> {
  const { findings } = await lint(files, config)
  return findings.map(
    ({ rule, subject, evidence }) => `${rule} ${evidence?.line} ${subject.replace('/srv/app/', '')}`,
  )
}

interface Case {
  title: string
  text: string
}
const without = (key: string): Case => ({ title: `without ${key}`, text: withoutKey(key) })
const withoutKey = (key: string) =>
  GOOD.split('\n')
    .filter((line) => !line.trim().startsWith(`${key}:`))
    .join('\n')
const lineAdded = (line: string, key = line.split(':')[0] ?? '') =>
  `${withoutKey(key).trimEnd()}\n    ${line}\n`
const withLine = (line: string): Case => ({ title: line.replaceAll(/\s+/g, ' '), text: lineAdded(line) })

test('a service with all keys is right', async () => {
  const { findings, blind, coverage } = await lint({ 'compose.yaml': GOOD })
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(coverage?.examined).toBe(2)
})

test.each([
  [without('user'), ['root-user 2 compose.yaml:web']],
  [without('read_only'), ['writable-root 2 compose.yaml:web']],
  [without('cap_drop'), ['capabilities-kept 2 compose.yaml:web']],
  [without('security_opt'), ['privilege-escalation 2 compose.yaml:web']],
  [without('mem_limit'), ['memory-unlimited 2 compose.yaml:web']],
  [without('cpus'), ['cpu-unlimited 2 compose.yaml:web']],
  [without('pids_limit'), ['pids-unlimited 2 compose.yaml:web']],
  // With a root file system that is read-only there is nowhere to put a program.
  [without('tmpfs'), []],
  [withLine('user: root'), ['root-user 13 compose.yaml:web']],
  [withLine('user: 0'), ['root-user 13 compose.yaml:web']],
  [withLine('read_only: false'), ['writable-root 13 compose.yaml:web']],
  [withLine('cap_drop: [NET_RAW]'), ['capabilities-kept 13 compose.yaml:web']],
  [withLine('cap_add: [CAP_SYS_ADMIN]'), ['dangerous-capability 13 compose.yaml:web']],
  [withLine('tmpfs: /tmp'), ['temporary-files 13 compose.yaml:web:/tmp']],
  [withLine('tmpfs: /tmp:noexec,nosuid,size=1m'), []],
  [withLine('mem_limit: 0'), ['memory-unlimited 13 compose.yaml:web']],
  [withLine('privileged: true'), ['privileged 14 compose.yaml:web']],
  [withLine('network_mode: host'), ['host-network 14 compose.yaml:web']],
  [withLine('network_mode: bridge'), ['default-network 14 compose.yaml:web']],
  [withLine('pid: host'), ['host-namespace 14 compose.yaml:web:pid']],
  [withLine('userns_mode: "host"'), ['host-namespace 14 compose.yaml:web:user']],
  [
    withLine('security_opt: ["no-new-privileges:true", "seccomp:unconfined"]'),
    ['unconfined 13 compose.yaml:web:seccomp'],
  ],
  [withLine('image: nginx'), ['mutable-tag 13 compose.yaml:web']],
  [withLine('image: nginx:1.29'), ['image-unpinned 13 compose.yaml:web']],
  [
    withLine('image: registry.example.org/a:1'),
    ['image-unpinned 13 compose.yaml:web', 'untrusted-registry 13 compose.yaml:web'],
  ],
  [withLine('ports: [9876:9876]'), ['published-everywhere 13 compose.yaml:web:9876/tcp']],
  [withLine('ports: ["0.0.0.0:53:53/udp"]'), ['published-everywhere 13 compose.yaml:web:53/udp']],
  [withLine('ports: ["[::]:81:81"]'), ['published-everywhere 13 compose.yaml:web:81/tcp']],
  [withLine('ports: ["[::1]:81:81", "443:8443", "127.0.0.1::9"]'), []],
  [withLine('ports: ["9000"]'), ['published-everywhere 13 compose.yaml:web:any-9000/tcp']],
  [
    withLine('ports: ["7000-7001:7000-7001"]'),
    [
      'published-everywhere 13 compose.yaml:web:7000/tcp',
      'published-everywhere 13 compose.yaml:web:7001/tcp',
    ],
  ],
  [
    withLine(
      'ports:\n      - target: 80\n        published: "8080"\n      - {target: 81, published: 8081, host_ip: 127.0.0.1}',
    ),
    ['published-everywhere 14 compose.yaml:web:8080/tcp'],
  ],
  [
    withLine(
      'volumes:\n      - data:/data\n      - /var/run/docker.sock:/var/run/docker.sock:ro\n      - ../../etc:/x',
    ),
    [
      'engine-socket-mounted 16 compose.yaml:web:/var/run/docker.sock',
      'host-path-mounted 17 compose.yaml:web:/etc',
    ],
  ],
  [
    withLine(
      'volumes:\n      - type: bind\n        source: /root\n        target: /x\n        read_only: true',
    ),
    ['host-path-mounted 15 compose.yaml:web:/root'],
  ],
  [withLine('dns: [8.8.8.8]'), []],
] as [Case, string[]][])('lint of a service $0.title', async ({ text }, expected) => {
  expect(await brief({ 'compose.yaml': text })).toEqual(expected)
})

test('check finds name servers that are not listed, until what the remedy says stands in the file', async () => {
  const config = { dns: ['10.0.0.53', '10.0.0.54'] }
  const { findings, blind } = await lint({ 'compose.yaml': lineAdded('dns: [10.0.0.53, 8.8.8.8]') }, config)
  expect(findings).toMatchObject([
    {
      rule: 'foreign-dns',
      subject: '/srv/app/compose.yaml:web',
      summary: expect.stringContaining('asks name servers that are not listed: 8.8.8.8'),
      evidence: { path: '/srv/app/compose.yaml', line: 14 },
    },
  ])
  expect(blind).toEqual([])
  const [line = ''] = /dns: \[.*?\]/.exec(findings[0]?.remedy ?? '') ?? []
  const mended = await lint({ 'compose.yaml': lineAdded(line) }, config)
  expect([mended.findings, mended.blind]).toEqual([[], []])
  expect(mended.inapplicable?.map(({ rule }) => rule)).not.toContain('foreign-dns')
})

test('limits may stand under deploy', async () => {
  const limits = 'deploy: {resources: {limits: {memory: 512M, cpus: "0.5", pids: 100}}}'
  const text = GOOD.split('\n')
    .filter((line) => !/mem_limit|cpus|pids_limit/.test(line))
    .join('\n')
  expect(await brief({ 'compose.yaml': `${text.trimEnd()}\n    ${limits}\n` })).toEqual([])
})

test('anchors and merge keys are followed, and what a service says itself goes before', async () => {
  const text = `x-base: &base
  cap_drop: [ALL]
  privileged: true
services:
  a:
    <<: *base
    privileged: false
  b:
    <<: [*base]
`
  const findings = await brief({ 'compose.yaml': text }, { hardening: [] })
  expect(findings).toEqual(['privileged 3 compose.yaml:b'])
})

test('an override file is laid over the one beside it, with its own lines', async () => {
  const override =
    'services:\n  web:\n    privileged: true\n    ports: ["8081:81"]\n  other:\n    image: nginx:1\n'
  const { findings } = await lint(
    { 'compose.yaml': GOOD, 'compose.override.yaml': override },
    { hardening: ['published-everywhere', 'root-user'] },
  )
  expect(
    findings.map(({ rule, subject, evidence }) => [rule, subject, evidence?.path, evidence?.line]),
  ).toEqual([
    ['privileged', '/srv/app/compose.yaml:web', '/srv/app/compose.override.yaml', 3],
    ['published-everywhere', '/srv/app/compose.yaml:web:8081/tcp', '/srv/app/compose.override.yaml', 4],
    ['root-user', '/srv/app/compose.yaml:other', '/srv/app/compose.override.yaml', 5],
  ])
})

test('of a file that is laid over others only what it says is judged', async () => {
  const text = 'services:\n  web:\n    privileged: true\n'
  expect(await brief({ 'docker-compose.prod.yml': text })).toEqual([
    'privileged 3 docker-compose.prod.yml:web',
  ])
})

test('what a service extends is read, in its file or in another', async () => {
  const base = GOOD.replace('  web:', '  base:').replace('    read_only: true\n', '')
  const own = `${base}  web:\n    extends: {service: base}\n    privileged: true\n`
  expect(await brief({ 'compose.yaml': own })).toEqual([
    'writable-root 2 compose.yaml:base',
    'privileged 15 compose.yaml:web',
    'writable-root 13 compose.yaml:web',
  ])
  const other = 'services:\n  web:\n    extends:\n      file: ./compose-base.yaml\n      service: base\n'
  expect(await brief({ 'compose.yaml': other, 'compose-base.yaml': base })).toEqual([
    'writable-root 2 compose-base.yaml:base',
    'writable-root 2 compose.yaml:web',
  ])
})

test.each([
  [
    'services:\n  web:\n    extends: {file: ../base.yaml, service: base}\n',
    'it extends "base" of /srv/base.yaml, which is not among the files that are read',
  ],
  ['services:\n  web:\n    extends: {service: nobody}\n', 'it extends "nobody"'],
  ['services:\n  web:\n    extends: web\n', 'what it extends has no end'],
])('a service that extends what is not there is blind (%#)', async (text, reason) => {
  const { findings, blind } = await lint({ 'compose.yaml': text })
  expect(findings).toEqual([])
  expect(blind).toMatchObject([{ subject: '/srv/app/compose.yaml:web' }])
  expect(blind?.[0]?.reason).toContain(reason)
})

test('variables come from .env, and none of its values is told', async () => {
  const text = lineAdded('image: $' + '{IMAGE}').replace('user: "1000:1000"', 'user: "$' + '{UID:-1000}"')
  expect(await brief({ 'compose.yaml': text, '.env': 'IMAGE=nginx:1\nPASSWORD=hunter2hunter2\n' })).toEqual([
    'image-unpinned 13 compose.yaml:web',
  ])
  const { findings, blind } = await lint({ 'compose.yaml': text })
  expect(findings).toEqual([])
  expect(blind).toEqual([
    {
      subject: '/srv/app/compose.yaml:web',
      reason: 'it depends on the variable IMAGE',
      rules: ['mutable-tag', 'image-unpinned', 'untrusted-registry'],
    },
  ])
})

const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]
${'bcdefgh'
  .split('')
  .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[index]}`).join(',')}]`)
  .join('\n')}
services: {web: {image: nginx, ports: *h}}
`

test.each([
  ['no YAML', 'services:\n  web: [\n', /line \d+/],
  ['a list', '- a\n- b\n', 'it has no settings'],
  ['nothing', '', 'it has no settings'],
  ['something else', 'name: x\n', 'it has no services'],
  ['services that are a list', 'services: [web]\n', 'line 1: "services" is no map'],
  ['a service that is a text', 'services:\n  web: nginx\n', 'line 2: the service "web" is no map'],
  ['anchors in anchors', bomb, 'it is too deep, or too large'],
  ['an anchor that holds itself', 'services: &s\n  web: *s\n', 'it is too deep'],
  ['bytes', '\u0000\u0001\u0002', /./],
  ['more than 1 MiB', `services: {web: {image: "${'x'.repeat(1_100_000)}"}}`, 'at most 1048576 are read'],
] as const)('a file that is %s is blind', async (_, text, reason) => {
  const startedMs = performance.now()
  const { findings, blind } = await lint({ 'compose.yaml': text })
  expect(performance.now() - startedMs).toBeLessThan(2000)
  expect(findings).toEqual([])
  expect(blind).toMatchObject([{ subject: '/srv/app/compose.yaml' }])
  expect(blind?.[0]?.reason).toMatch(reason)
})

test('a link is not read, and a link that leads to itself is no crash', async () => {
  using root = temporaryDirectory()
  for (const directory of ['srv/app', 'etc', 'proc'])
    mkdirSync(join(root.path, directory), { recursive: true })
  writeFileSync(join(root.path, 'etc/passwd'), '')
  writeFileSync(join(root.path, 'etc/group'), '')
  symlinkSync('compose.yaml', join(root.path, 'srv/app/compose.yaml'))
  const run = pluginUnderTest(
    plugin,
    { compose: ['/srv/*/compose.yaml'] },
    { root: root.path, stateDir: '/state' },
  )
  expect((await run.check()).blind).toMatchObject([{ subject: '/srv/app/compose.yaml' }])
  rmSync(join(root.path, 'srv/app/compose.yaml'))
  expect((await run.check()).blind).toEqual([])
})

test.each([
  ['$A', 'x'],
  ['$' + '{A}-$$A', 'x-$A'],
  ['$' + '{N:-d}', 'd'],
  ['$' + '{E:-d}', 'd'],
  ['$' + '{E-d}', ''],
  ['$' + '{A:+y}', 'y'],
  ['$' + '{N:+y}', ''],
  ['$' + '{N}', undefined],
  ['$' + '{N:?must be set}', undefined],
  ['$' + '{N:-$' + '{M:-d}}', undefined],
  ['plain', 'plain'],
])('interpolate(%s) is %p', (text, expected) => {
  const result = interpolate(
    text,
    new Map([
      ['A', 'x'],
      ['E', ''],
    ]),
  )
  expect(result.known ? result.text : undefined).toBe(expected)
})

test('parseEnvironment() takes what it understands, and leaves out the rest', () => {
  const text = 'A=1\nexport B="two words"\nC=\'$x\'\n# D=4\nE=5 # five\nF=$A\nG="a\\nb"\n=x\n'
  expect(Object.fromEntries(parseEnvironment(text))).toEqual({ A: '1', B: 'two words', C: '$x', E: '5' })
})
