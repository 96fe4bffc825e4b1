import { expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import plugin from '../../../plugins/containers/plugin.ts'
import {
  DockerServer,
  dockerAnswers,
  dockerContainer,
  dockerImage,
  GOOD_IMAGE,
} from '../../kit/docker-server.ts'
import { testWith } from '../../kit/needs.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const rootTest = testWith({ root: true })
const NOW = new Date('2027-01-15T08:00:00Z')
const PASSWD =
  'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:999::/home/bob:/bin/sh\n'
const GROUP = 'root:x:0:\ndocker:x:999:alice,carol\nalice:x:1000:\n'

interface Given {
  files?: Record<string, string>
  config?: Record<string, unknown>
  /** Where there is a socket, below the root directory. */
  socket?: string
  info?: Record<string, unknown>
  containers?: ReturnType<typeof dockerContainer>[]
  prepare?: (root: string) => void
}

async function check({
  files = {},
  config = {},
  socket = '/run/docker.sock',
  info = {},
  containers = [],
  prepare,
}: Given) {
  using root = temporaryDirectory()
  const all: Record<string, string> = {
    'etc/passwd': PASSWD,
    'etc/group': 'root:x:0:\n',
    'proc/stat': '',
    ...files,
  }
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root.path, name)), { recursive: true })
    writeFileSync(join(root.path, name), text)
  }
  mkdirSync(dirname(join(root.path, socket)), { recursive: true })
  const images = { [GOOD_IMAGE]: dockerImage() }
  using _server = new DockerServer(join(root.path, socket), dockerAnswers(containers, images, info))
  prepare?.(root.path)
  const patterns = ['/run/docker.sock', '/run/user/*/docker.sock']
  const run = pluginUnderTest(
    plugin,
    { sockets: patterns, ...config },
    { root: root.path, stateDir: '/state', now: NOW },
  )
  const report = await run.check()
  return {
    ...report,
    brief: report.findings.map(({ rule, severity, subject }) => `${severity} ${rule} ${subject}`),
    reasons: (report.blind ?? []).map(({ subject, reason }) => `${subject}: ${reason}`),
  }
}

rootTest('a socket of root and its group is right', async () => {
  const { brief, reasons } = await check({})
  expect([brief, reasons]).toEqual([[], []])
})

for (const [title, mode, uid, gid, expected] of [
  ['everyone', 0o666, 0, 0, ['critical socket-open /run/docker.sock']],
  ['everyone to read', 0o664, 0, 0, ['critical socket-open /run/docker.sock']],
  ['a user', 0o660, 1000, 0, ['critical socket-open /run/docker.sock']],
  ['another group', 0o660, 0, 1000, ['critical socket-open /run/docker.sock']],
  ['another group that may nothing', 0o600, 0, 1000, []],
  ['the group docker', 0o660, 0, 999, []],
] as const) {
  rootTest(`a socket that is open to ${title}: ${expected.length} findings`, async () => {
    const { brief } = await check({
      files: {
        'etc/group': 'root:x:0:\ndocker:x:999:\nalice:x:1000:\n',
        'etc/passwd': PASSWD.replace(':999:', ':1001:'),
      },
      prepare: (root) => {
        chmodSync(join(root, 'run/docker.sock'), mode)
        chownSync(join(root, 'run/docker.sock'), uid, gid)
      },
    })
    expect(brief).toEqual([...expected])
  })
}

rootTest('what a remedy says of a socket makes the finding go away', async () => {
  const prepare = (root: string) => chmodSync(join(root, 'run/docker.sock'), 0o666)
  const { findings } = await check({ prepare })
  const command = findings[0]?.remedy ?? ''
  expect(command).toBe('chmod 0660 /run/docker.sock')
  const { brief } = await check({
    prepare: (root) => {
      prepare(root)
      const applied = command.replace('/run/', `${root}/run/`).split(' ')
      expect(Bun.spawnSync(applied).exitCode).toBe(0)
    },
  })
  expect(brief).toEqual([])
})

rootTest('who is in the group of the engine and is not listed is told, by passwd, too', async () => {
  const files = { 'etc/group': GROUP }
  expect((await check({ files, config: { members: ['alice'] } })).brief).toEqual([
    'warning engine-group-member bob',
    'warning engine-group-member carol',
  ])
  expect((await check({ files, config: { members: ['alice', 'bob', 'carol'] } })).brief).toEqual([])
  expect((await check({ files, config: { socketGroup: 'other' } })).brief).toEqual([])
})

const DAEMON = (settings: object) => ({ 'etc/docker/daemon.json': JSON.stringify(settings, null, 2) })
const UNIT = (command: string) => ({
  'lib/systemd/system/docker.service': `[Service]\nType=notify\nExecStart=${command}\n`,
})
/** A listening socket as the kernel shows it: 0.0.0.0:2375. */
const LISTENING =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n' +
  '   0: 00000000:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 100 0 0 10 0\n'

test.each([
  [DAEMON({ hosts: ['unix:///var/run/docker.sock'] }), []],
  [DAEMON({ hosts: ['unix:///x', 'tcp://0.0.0.0:2375'] }), ['/etc/docker/daemon.json:tcp://0.0.0.0:2375 4']],
  [DAEMON({ hosts: ['tcp://0.0.0.0:2376'], tls: true }), ['/etc/docker/daemon.json:tcp://0.0.0.0:2376 3']],
  [DAEMON({ hosts: ['tcp://0.0.0.0:2376'], tlsverify: true }), []],
  [UNIT('/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock'), []],
  [
    UNIT('/usr/bin/dockerd -H fd:// -H tcp://127.0.0.1:2375'),
    ['/lib/systemd/system/docker.service:tcp://127.0.0.1:2375 3'],
  ],
  [
    UNIT('/usr/bin/dockerd -H fd:// \\\n  --host=tcp://:2375'),
    ['/lib/systemd/system/docker.service:tcp://:2375 3'],
  ],
  [UNIT('/usr/bin/dockerd --tlsverify -H=tcp://:2376'), []],
  [{ ...UNIT('/usr/bin/dockerd -H tcp://:2376'), ...DAEMON({ tlsverify: true }) }, []],
  [
    { 'etc/environment': 'A=1\nDOCKER_HOST=tcp://10.0.0.5:2375\n' },
    ['/etc/environment:tcp://10.0.0.5:2375 2'],
  ],
  [{ 'etc/environment': 'DOCKER_HOST=ssh://a@b\n' }, []],
  [{ 'home/alice/.bashrc': 'export DOCKER_HOST="tcp://h:2376"\n' }, ['/home/alice/.bashrc:tcp://h:2376 1']],
  [{ 'home/alice/.bashrc': 'export DOCKER_HOST="tcp://h:2376"\nexport DOCKER_TLS_VERIFY=1\n' }, []],
  [{ 'home/alice/.bashrc': '# export DOCKER_HOST=tcp://h:2375\n' }, []],
  [{ 'proc/net/tcp': LISTENING }, ['tcp/2375:tcp port 2375 undefined']],
  [{ 'proc/net/tcp': LISTENING.replace('0947', '0948') }, []],
  [{ 'proc/net/tcp': LISTENING.replace(' 0A ', ' 01 ') }, []],
  [
    {
      'proc/4711/comm': 'dockerd\n',
      'proc/4711/cmdline': 'dockerd\0-H\0tcp://:2375\0',
      'proc/4711/status': 'Uid:\t0\t0\t0\t0\n',
    },
    ['dockerd:tcp://:2375 undefined'],
  ],
  [
    {
      'proc/4711/comm': 'podman\n',
      'proc/4711/cmdline': 'podman\0system\0service\0tcp:localhost:8080\0',
      'proc/4711/status': '',
    },
    ['podman:tcp:localhost:8080 undefined'],
  ],
] as [Record<string, string>, string[]][])('the API over TCP, %#', async (files, expected) => {
  const { findings, reasons } = await check({ files })
  const api = findings.filter(({ rule }) => rule === 'api-without-tls')
  expect(api.map(({ subject, evidence }) => `${subject} ${evidence?.line}`)).toEqual(expected)
  expect(reasons).toEqual([])
})

test.each([
  ['{"hosts": [', 'it is no JSON'],
  ['[]', '""'],
  ['{"hosts": "tcp://:2375"}', '"hosts"'],
])('settings of the daemon that are malformed (%s) are blind', async (text, reason) => {
  const { blind, reasons } = await check({ files: { 'etc/docker/daemon.json': text } })
  expect(reasons[0]).toContain(reason)
  expect(blind).toMatchObject([
    { subject: '/etc/docker/daemon.json', rules: ['api-without-tls', 'insecure-registry'] },
  ])
})

test('a key for the API that others can read is told', async () => {
  const open = await check({
    files: { 'home/alice/.docker/key.pem': 'x', 'etc/docker/server-key.pem': 'x' },
    prepare: (root) => {
      chmodSync(join(root, 'home/alice/.docker/key.pem'), 0o640)
      chmodSync(join(root, 'etc/docker/server-key.pem'), 0o600)
    },
  })
  expect(open.brief).toEqual(['critical api-key-open /home/alice/.docker/key.pem'])
})

test('registries without TLS are told, whoever says so', async () => {
  const info = {
    RegistryConfig: {
      IndexConfigs: { 'a.example:5000': { Secure: false }, 'docker.io': { Secure: true } },
      InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128', '10.0.0.0/8'],
    },
  }
  expect(
    (await check({ info, files: DAEMON({ 'insecure-registries': ['b.example', '127.0.0.1:5000'] }) })).brief,
  ).toEqual([
    'warning insecure-registry b.example',
    'warning insecure-registry a.example:5000',
    'warning insecure-registry 10.0.0.0/8',
  ])
})

const ROOTLESS = { Rootless: true, SecurityOptions: ['name=rootless'] }
const SUBIDS = { 'etc/subuid': 'alice:100000:65536\n', 'etc/subgid': 'alice:100000:65536\n' }
const HELPERS = { 'usr/bin/newuidmap': '', 'usr/bin/newgidmap': '', 'usr/bin/slirp4netns': '' }
const setuid = (root: string) => {
  for (const name of ['newuidmap', 'newgidmap']) chmodSync(join(root, 'usr/bin', name), 0o4755)
}
const rootless = (more: Given = {}) =>
  check({
    socket: '/run/user/1000/docker.sock',
    info: ROOTLESS,
    ...more,
    files: { ...SUBIDS, ...HELPERS, ...more.files },
    prepare: (root) => {
      setuid(root)
      more.prepare?.(root)
    },
  })

test('a rootless engine with all that it needs is right, and its containers are less grave', async () => {
  const { brief, reasons } = await rootless({ containers: [dockerContainer('web', { Privileged: true })] })
  expect([brief, reasons]).toEqual([['warning privileged docker@alice/web'], []])
})

test.each([
  ['bob:100000:65536\n', ['warning subordinate-ids /etc/subuid:alice']],
  ['alice:100000:65535\n', ['warning subordinate-ids /etc/subuid:alice']],
  ['alice:100000:32768\n1000:200000:32768\n', []],
  ['# alice\nalice:1:x\n', ['warning subordinate-ids /etc/subuid:alice']],
  ['alice:100000:65536\nbob:165535:65536\n', ['warning subordinate-ids /etc/subuid:alice:shared']],
  ['alice:100000:65536\nbob:165536:65536\n', []],
])('subordinate ids %j', async (subuid, expected) => {
  expect((await rootless({ files: { 'etc/subuid': subuid } })).brief).toEqual(expected)
})

test('a user without a file of subordinate ids is told, with free ones', async () => {
  const { findings } = await check({
    config: { users: ['alice'] },
    files: { ...HELPERS, 'etc/subuid': 'bob:100000:65536\n' },
    prepare: setuid,
  })
  expect(findings.map(({ remedy }) => remedy)).toEqual([
    'usermod --add-subuids 165536-231071 alice',
    'usermod --add-subgids 100000-165535 alice',
  ])
})

test('programs that a rootless engine needs are told when they are missing, or cannot do it', async () => {
  const { findings } = await check({
    socket: '/run/user/1000/docker.sock',
    info: ROOTLESS,
    files: { ...SUBIDS, 'usr/bin/newuidmap': '' },
  })
  expect(findings.map(({ subject, remedy }) => `${subject}: ${remedy}`)).toEqual([
    'newuidmap: apt-get install --reinstall uidmap',
    'newgidmap: apt-get install uidmap',
    'slirp4netns: apt-get install slirp4netns',
  ])
  expect(findings.map(({ rule }) => rule)).toEqual(Array(3).fill('rootless-helper-missing'))
  expect((await rootless({ files: { 'usr/bin/pasta': '' } })).brief).toEqual([])
})

rootTest('what a rootless container mounts is of its user or of its ids', async () => {
  const mounts = (source: string) => ({
    Mounts: [{ Type: 'bind', Source: source, Destination: '/x', RW: true }],
  })
  const containers = [
    dockerContainer('web', {}, {}, mounts('/srv/a')),
    dockerContainer('other', {}, {}, mounts('/srv/b')),
  ]
  const prepare = (root: string) => {
    for (const [name, uid] of [
      ['a', 100_999],
      ['b', 33],
    ] as const) {
      mkdirSync(join(root, 'srv', name), { recursive: true })
      chownSync(join(root, 'srv', name), uid, 0)
    }
  }
  expect((await rootless({ containers, prepare })).brief).toEqual([
    'info bind-owner docker@alice/other:/srv/b',
  ])
})

test('an engine of root is told where none is to run', async () => {
  const config = { rootless: 'required' }
  const wants = (root: string) => {
    mkdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'), { recursive: true })
    symlinkSync(
      '/lib/systemd/system/docker.service',
      join(root, 'etc/systemd/system/multi-user.target.wants/docker.service'),
    )
  }
  expect((await check({ config, prepare: wants })).brief.filter((line) => line.includes('rootful'))).toEqual([
    'warning rootful-engine /run/docker.sock',
    'warning rootful-engine /etc/systemd/system/multi-user.target.wants/docker.service',
  ])
  expect((await rootless({ config })).brief).toEqual([])
})

test.each([
  ['alice ALL=(ALL) NOPASSWD: /usr/bin/docker\n', ['/etc/sudoers:alice 1']],
  [
    '# alice ALL=(ALL) /usr/bin/docker\n\n%ops ALL=(root) /usr/bin/systemctl, \\\n  /usr/bin/docker ps\n',
    ['/etc/sudoers:%ops 3'],
  ],
  ['Cmnd_Alias ENGINE = /usr/bin/podman, /bin/ls\nbob ALL = ENGINE\n', ['/etc/sudoers:bob 2']],
  ['alice ALL=(ALL:ALL) ALL\nroot ALL=(ALL) /usr/bin/docker\n', []],
  ['alice ALL=(ALL) ALL, !/usr/bin/docker\n', []],
  ['alice ALL=(docker) /usr/bin/ls\n', []],
  ['alice ALL=/usr/bin/dockerize\n', []],
])('sudoers %j', async (text, expected) => {
  const { findings } = await check({
    files: { 'etc/sudoers': text, 'etc/sudoers.d/a.bak': 'eve ALL=/usr/bin/docker\n' },
  })
  const found = findings.filter(({ rule }) => rule === 'engine-through-sudo')
  expect(found.map(({ subject, evidence }) => `${subject} ${evidence?.line}`)).toEqual(expected)
})

test('who ran an engine by sudo though he has a rootless one is told, with how often', async () => {
  const line = (user: string, command: string) =>
    `2027-01-15T07:00:00+00:00 host sudo: ${user} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=${command}\n`
  const log =
    line('alice', '/usr/bin/docker ps') + line('alice', '/bin/ls') + line('bob', '/usr/bin/docker ps')
  const old = `Jan 15 07:00:00 host sudo[12]:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/podman run x\n`
  const { findings } = await rootless({ files: { 'var/log/auth.log': old.repeat(2) + log } })
  expect(findings.map(({ subject, evidence }) => `${subject} ${evidence?.times}`)).toEqual([
    'alice: by sudo 3',
  ])
  expect(
    (await rootless({ files: { 'var/log/auth.log': `${'x'.repeat(1_100_000)}\n${log}` } })).brief,
  ).toHaveLength(1)
  expect((await check({ files: { 'var/log/auth.log': log } })).brief).toEqual([])
})

test('dockerd that runs as root is told where none is to', async () => {
  const files = {
    'proc/4711/comm': 'dockerd\n',
    'proc/4711/cmdline': 'dockerd\0',
    'proc/4711/status': 'Uid:\t0\t0\t0\t0\n',
  }
  const config = { rootless: 'required' }
  expect((await rootless({ files, config })).brief).toEqual(['warning rootful-engine dockerd'])
  const own = { ...files, 'proc/4711/status': 'Uid:\t1000\t1000\t1000\t1000\n' }
  expect((await rootless({ files: own, config })).brief).toEqual([])
})

test('a scan of images that is too long ago, or was never made, is told', async () => {
  const config = { scanReports: ['/var/lib/trivy/*.json'] }
  const report = (root: string, daysAgo: number) => {
    const path = join(root, 'var/lib/trivy/r.json')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '{}')
    const seconds = NOW.getTime() / 1000 - daysAgo * 86_400
    utimesSync(path, seconds, seconds)
  }
  const scans = async (prepare?: (root: string) => void) =>
    (await check({ config, ...(prepare ? { prepare } : {}) })).brief.filter((line) =>
      line.includes('scan-overdue'),
    )
  expect(await scans((root) => report(root, 31))).toHaveLength(1)
  expect(await scans((root) => report(root, 29))).toEqual([])
  expect(await scans()).toHaveLength(1)
  const { findings } = await check({ config })
  expect(findings.find(({ rule }) => rule === 'scan-overdue')?.remedy).toBe(
    'trivy image --format json --output /var/lib/trivy/images.json IMAGE',
  )
})

test('a daemon whose socket is not among the settings is a blind spot', async () => {
  const { reasons } = await check({
    socket: '/run/elsewhere.sock',
    files: {
      'proc/4711/comm': 'dockerd\n',
      'proc/4711/cmdline': '/usr/bin/dockerd\0',
      'proc/4711/status': '',
    },
  })
  expect(reasons).toEqual(['docker: dockerd is running, but none of its sockets is in `sockets`'])
})
