import { expect, test } from 'bun:test'
import { chmodSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import plugin from '../../../plugins/containers/plugin.ts'
import { CONTAINER_RULES, RUNNING_RULES } from '../../../plugins/containers/rules.ts'
import {
  type Answers,
  DockerServer,
  dockerAnswers,
  dockerContainer,
  dockerImage,
  GOOD_IMAGE,
} from '../../kit/docker-server.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const pythonTest = testWith({ programs: ['python3'] })
const rootTest = testWith({ root: true })
const NOW = new Date('2027-01-15T08:00:00Z')
const OF_ENGINES = [...Object.keys(CONTAINER_RULES), ...Object.keys(RUNNING_RULES)]
const images = { [GOOD_IMAGE]: dockerImage() }

/** A host that has nothing but a socket of Docker. */
function hostWith(
  answers: Answers = dockerAnswers([dockerContainer('web')], images),
  config: z.input<typeof plugin.config> = {},
) {
  const root = temporaryDirectory()
  for (const directory of ['run', 'etc/docker', 'proc', 'home', 'usr/bin']) {
    mkdirSync(join(root.path, directory), { recursive: true })
  }
  writeFileSync(join(root.path, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  writeFileSync(join(root.path, 'etc/group'), 'root:x:0:\n')
  mkdirSync(join(root.path, 'var'))
  symlinkSync('../run', join(root.path, 'var/run'))
  const server = new DockerServer(join(root.path, 'run/docker.sock'), answers)
  const run = pluginUnderTest(
    plugin,
    { sockets: ['/run/docker.sock'], answerTimeout: '300ms', ...config },
    { root: root.path, stateDir: '/state', now: NOW },
  )
  return {
    root: root.path,
    server,
    run,
    [Symbol.dispose]: () => {
      server[Symbol.dispose]()
      root[Symbol.dispose]()
    },
  }
}

test('check of a daemon with a container that is held tight finds nothing, and sees everything', async () => {
  using host = hostWith()
  const report = await host.run.check()
  expect({ findings: report.findings, blind: report.blind }).toEqual({ findings: [], blind: [] })
  expect(report.facts).toMatchObject([
    { kind: 'container', subject: 'docker/web', data: { state: 'running', user: '1000:1000' } },
  ])
  expect(report.metrics).toMatchObject([{ name: 'containers', value: 1, labels: { engine: 'docker' } }])
})

test('check asks by GET, whatever it finds', async () => {
  const worst = dockerContainer(
    'worst',
    { Privileged: true, NetworkMode: 'host' },
    { Labels: { 'ofelia.job.name': 'x' } },
  )
  using host = hostWith(dockerAnswers([worst], images))
  expect((await host.run.check()).findings.length).toBeGreaterThan(0)
  expect(host.server.asked.length).toBeGreaterThan(4)
  expect(host.server.asked.filter((line) => !line.startsWith('GET /'))).toEqual([])
})

test('check finds what is wrong with the containers of a daemon, by their names', async () => {
  const privileged = dockerContainer('worst', { Privileged: true, CapDrop: null })
  const old = dockerContainer('old', {}, {}, { Image: `sha256:${'2'.repeat(64)}` })
  const job = dockerContainer(
    'job',
    {},
    { Labels: { 'ofelia.job.name': 'prune' } },
    {
      State: { Status: 'exited', FinishedAt: '2027-01-01T00:00:00Z' },
    },
  )
  const more = { ...images, [`sha256:${'2'.repeat(64)}`]: dockerImage('2026-01-01T00:00:00Z') }
  using host = hostWith(dockerAnswers([privileged, old, job], more))
  const { findings, blind } = await host.run.check()
  expect(findings.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
    'privileged docker/worst',
    'image-old docker/old',
    'container-stale docker/job',
  ])
  expect(blind).toEqual([])
})

test('check finds name servers of a container that are not listed, until it is made with a listed one', async () => {
  const asking = (...servers: string[]) =>
    hostWith(dockerAnswers([dockerContainer('web', { Dns: servers })], images), { dns: ['10.0.0.53'] })
  using foreign = asking('8.8.8.8', '10.0.0.53')
  const { findings, blind } = await foreign.run.check()
  expect(findings).toMatchObject([
    {
      rule: 'foreign-dns',
      subject: 'docker/web',
      summary: expect.stringContaining('not listed: 8.8.8.8'),
      remedy: expect.stringContaining('--dns 10.0.0.53'),
    },
  ])
  expect(blind).toEqual([])
  using listed = asking('10.0.0.53')
  const mended = await listed.run.check()
  expect([mended.findings, mended.blind]).toEqual([[], []])
  expect(mended.inapplicable?.map(({ rule }) => rule)).not.toContain('foreign-dns')
})

test('check of an image that is shared asks for it once', async () => {
  using host = hostWith(
    dockerAnswers([dockerContainer('a'), dockerContainer('b'), dockerContainer('c')], images),
  )
  await host.run.check()
  expect(host.server.asked.filter((line) => line.includes('/images/'))).toHaveLength(1)
})

test('a container that is removed while it is looked at is no blind spot', async () => {
  const answers = dockerAnswers([dockerContainer('web'), dockerContainer('gone')], images)
  const gone = Object.keys(answers).findLast((path) => path.startsWith('/containers/') && path.length > 40)
  using host = hostWith({ ...answers, [gone ?? '']: undefined })
  const { findings, blind } = await host.run.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
})

const deep = () => new Response('['.repeat(2_000_000))
const html = () =>
  new Response('<html><body>Bad gateway</body></html>', { headers: { 'content-type': 'text/html' } })
const large = () => new Response(Buffer.alloc(105_000_000, 32))
const never = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
const breaking = () => new Response('{"Version":', { headers: { 'content-type': 'application/json' } })

test.each([
  ['HTML', '/version', html, 'is no JSON'],
  ['deep JSON', '/info', deep, 'is no JSON'],
  ['more than 100 MB', '/containers/json', large, /has more than|no answer within/],
  ['nothing', '/info', never, 'there is no answer within 300 ms'],
  ['half a document', '/version', breaking, 'is no JSON'],
  ['an error', '/info', () => new Response('no', { status: 500 }), 'with 500'],
  ['a refusal of a proxy', '/containers/json', () => new Response('no', { status: 403 }), 'refuses to tell'],
  ['a list in place of an object', '/info', () => Response.json([]), 'is not as documented'],
  ['an object in place of a list', '/containers/json', () => Response.json({}), 'is not as documented'],
  [
    'ids that lead elsewhere',
    '/containers/json',
    () => Response.json([{ Id: '../x', Names: ['/x'] }]),
    'is not as documented',
  ],
  [
    'a number as a name',
    '/containers/json',
    () => Response.json([{ Id: 'ab'.repeat(6), Names: [7] }]),
    'is not as documented',
  ],
] as const)(
  'an engine that answers with %s to %s is blind, within its time',
  async (_, path, answer, reason) => {
    using host = hostWith({ ...dockerAnswers([dockerContainer('web')], images), [path]: answer })
    const startedMs = performance.now()
    const { findings, blind } = await host.run.check()
    expect(performance.now() - startedMs).toBeLessThan(3000)
    expect(findings).toEqual([])
    expect(blind).toMatchObject([{ subject: 'docker', rules: OF_ENGINES }])
    expect(blind?.[0]?.reason).toMatch(reason)
  },
)

test('a container of which the engine does not tell as documented is blind, and the others are judged', async () => {
  const broken = { ...dockerContainer('broken'), HostConfig: { Privileged: 'yes' } }
  using host = hostWith(dockerAnswers([dockerContainer('worst', { Privileged: true }), broken], images))
  const { findings, blind } = await host.run.check()
  expect(findings.map(({ subject }) => subject)).toEqual(['docker/worst'])
  expect(blind).toMatchObject([{ subject: 'docker/broken' }])
})

test('an engine that stops answering does not hold the run up for each of its containers', async () => {
  const containers = Array.from({ length: 200 }, (_, index) => dockerContainer(`c${index}`))
  const answers = dockerAnswers(containers, images)
  for (const path of Object.keys(answers))
    if (path.length > 60 && path.startsWith('/containers/')) answers[path] = never
  using host = hostWith(answers)
  const startedMs = performance.now()
  const { blind } = await host.run.check()
  expect(performance.now() - startedMs).toBeLessThan(4000)
  expect(blind).toHaveLength(200)
})

test('what is at the place of a socket and is none is blind', async () => {
  using host = hostWith()
  host.server[Symbol.dispose]()
  rmSync(join(host.root, 'run/docker.sock'), { force: true })
  writeFileSync(join(host.root, 'run/docker.sock'), '')
  const { blind } = await host.run.check()
  expect(blind).toMatchObject([{ subject: 'docker', rules: OF_ENGINES }])
  expect(blind?.[0]?.reason).toContain('is a file, not a socket')
})

pythonTest('a socket on which nobody listens any more is blind', async () => {
  using host = hostWith()
  host.server[Symbol.dispose]()
  rmSync(join(host.root, 'run/docker.sock'), { force: true })
  const bind = 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])'
  expect(Bun.spawnSync(['python3', '-c', bind, join(host.root, 'run/docker.sock')]).exitCode).toBe(0)
  const { blind } = await host.run.check()
  expect(blind?.[0]?.reason).toContain('nothing listens there')
})

rootTest(
  'a link to a socket is followed when it is of root, and never when it is of somebody else',
  async () => {
    using host = hostWith()
    const run = (path: string) =>
      pluginUnderTest(plugin, { sockets: [path] }, { root: host.root, stateDir: '/state', now: NOW }).check()
    symlinkSync('docker.sock', join(host.root, 'run/link.sock'))
    expect(await run('/run/link.sock')).toMatchObject({ blind: [], facts: [{ subject: 'docker/web' }] })
    lchownSync(join(host.root, 'run/link.sock'), 1000, 1000)
    const { blind, facts } = await run('/run/link.sock')
    expect({ blind, facts }).toMatchObject({ blind: [{ subject: 'docker' }], facts: [] })
    expect(blind?.[0]?.reason).toContain('is a symlink, not a socket')
  },
)

test('a socket that is found under two names is asked once', async () => {
  using host = hostWith()
  const sockets = ['/var/run/docker.sock', '/run/docker.sock']
  const run = pluginUnderTest(plugin, { sockets }, { root: host.root, stateDir: '/state', now: NOW })
  expect((await run.check()).facts).toHaveLength(1)
  expect(host.server.asked.filter((line) => line === 'GET /info')).toHaveLength(1)
})

test('without a socket and without a program nothing is judged, and nothing is blind', async () => {
  using root = temporaryDirectory()
  for (const directory of ['etc', 'proc']) mkdirSync(join(root.path, directory))
  writeFileSync(join(root.path, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  writeFileSync(join(root.path, 'etc/group'), 'root:x:0:\ndocker:x:999:alice\n')
  const report = await pluginUnderTest(plugin, {}, { root: root.path, stateDir: '/state' }).check()
  expect({ findings: report.findings, blind: report.blind }).toEqual({ findings: [], blind: [] })
  expect(report.inapplicable?.map(({ rule }) => rule).toSorted()).toEqual(
    Object.keys(plugin.rules).toSorted(),
  )
  expect(new Set(report.inapplicable?.map(({ reason }) => reason))).toContain(
    'neither Docker nor Podman is installed',
  )
})

test('a program without a socket leaves nothing of its containers to judge', async () => {
  using host = hostWith()
  host.server[Symbol.dispose]()
  writeFileSync(join(host.root, 'usr/bin/docker'), '')
  chmodSync(join(host.root, 'usr/bin/docker'), 0o755)
  rmSync(join(host.root, 'run/docker.sock'), { force: true })
  const report = await host.run.check()
  expect({ findings: report.findings, blind: report.blind }).toEqual({ findings: [], blind: [] })
  const idle = new Map(report.inapplicable?.map(({ rule, reason }) => [rule, reason]))
  expect(idle.get('socket-open')).toBe('no engine has a socket here')
  expect(idle.has('api-without-tls')).toBe(false)
})

rootTest('a socket that may not be opened is blind, with what would open it', async () => {
  using host = hostWith()
  chmodSync(join(host.root, 'run/docker.sock'), 0o600)
  chmodSync(host.root, 0o755)
  mkdirSync(join(host.root, 'state'), { recursive: true })
  const { blind } = await asOrdinaryUser(() => host.run.check())
  const denied = blind?.find(({ subject }) => subject === 'docker')
  expect(denied?.reason).toContain('permission denied: its owner and its group may, or `otherUsers`')
  expect(plugin.permissions(plugin.config.parse({})).check.capabilities).toEqual(['CAP_DAC_READ_SEARCH'])
  expect(plugin.permissions(plugin.config.parse({ otherUsers: true })).check.capabilities).toContain(
    'CAP_DAC_OVERRIDE',
  )
})
