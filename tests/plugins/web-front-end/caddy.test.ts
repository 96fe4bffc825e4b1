import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Finding } from '../../../agent/contract/mod.ts'
import { sitesOf } from '../../../plugins/web-front-end/caddy/sites.ts'
import plugin from '../../../plugins/web-front-end/plugin.ts'
import { adapted, CADDY, protocolsOfVersion } from '../../../plugins/web-front-end/read.ts'
import { testWith } from '../../kit/needs.ts'
import { freePort } from '../../kit/nginx.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { waitUntil } from '../../kit/wait.ts'

setDefaultTimeout(30_000)

const live = testWith({ programs: [CADDY] })

type Fronts = z.input<typeof plugin.config>['fronts']

/** A check of this Caddyfile, in which "DIR" is the directory that it lies in. */
async function check(text: string, fronts: Fronts = []) {
  using directory = temporaryDirectory()
  mkdirSync(join(directory.path, 'etc'))
  writeFileSync(join(directory.path, 'etc/nginx.conf'), 'events { }')
  const caddy = join(directory.path, 'etc/Caddyfile')
  writeFileSync(caddy, text.replaceAll('DIR', directory.path))
  const run = pluginUnderTest(
    plugin,
    {
      nginx: join(directory.path, 'etc/nginx.conf'),
      caddy,
      directories: [join(directory.path, 'etc')],
      fronts,
    },
    { stateDir: join(directory.path, 'state') },
  )
  const report = await run.check()
  return { ...report, found: brief(report.findings) }
}

const brief = (findings: Finding[]) => findings.map(({ rule, evidence }) => [rule, evidence?.line])

const GOOD = `a.example.org {
	tls DIR/cert.pem DIR/key.pem {
		protocols tls1.2 tls1.3
	}
	header Strict-Transport-Security "max-age=31536000"
	header X-Content-Type-Options nosniff
	header X-Frame-Options DENY
	header Referrer-Policy no-referrer
	reverse_proxy 127.0.0.1:9876
}
`

const all = ['tls', 'redirect', 'hsts', 'headers', 'forward-headers'] as const

live('check has nothing against a site of Caddy that is as it should be', async () => {
  const { findings, blind, facts } = await check(GOOD, [{ port: 9876, required: true, requires: [...all] }])
  // Its certificate does not exist: that is another matter.
  expect(findings.filter(({ rule }) => rule !== 'certificate-unusable')).toEqual([])
  expect(blind).toEqual([])
  expect(facts).toMatchObject([
    { kind: 'web-front', subject: 'Caddy site a.example.org -> 9876', data: { tls: true, line: 1 } },
  ])
})

live('check judges sites of Caddy, with the line of the Caddyfile', async () => {
  const cases: [name: string, text: string, fronts: Fronts, found: unknown[]][] = [
    [
      'in clear',
      'http://a.example.org {\n\treverse_proxy localhost:9876\n}\n',
      [{ port: 9876 }],
      [['front-without-tls', 2]],
    ],
    [
      'on the loopback',
      'http://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\treverse_proxy localhost:9876\n}\n',
      [{ port: 9876 }],
      [],
    ],
    ['no front', ':80 {\n\tfile_server\n}\n', [{ port: 9876, required: true }], [['no-front', undefined]]],
    [
      'no HSTS',
      'a.example.org {\n\treverse_proxy :9876 127.0.0.1:9876\n}\n',
      [{ port: 9876, requires: ['hsts'] }],
      [
        ['no-hsts', 2],
        ['front-without-hsts', 2],
      ],
    ],
    [
      'no limit',
      `${GOOD}`,
      [{ port: 9876, requires: ['rate-limit'] }],
      [
        ['certificate-unusable', 2],
        ['certificate-unusable', 2],
        ['front-without-rate-limit', 9],
      ],
    ],
    [
      'what tells the service nothing',
      'http://a.example.org {\n\tbind 127.0.0.1\n\treverse_proxy localhost:9876 {\n\t\theader_up -X-Forwarded-For\n\t}\n}\n',
      [{ port: 9876, requires: ['forward-headers'] }],
      [['front-without-forward-headers', 3]],
    ],
  ]
  for (const [name, text, fronts, found] of cases) {
    const report = await check(text, fronts)
    expect<unknown>([name, report.found, report.blind]).toEqual([name, found, []])
  }
})

live('check is blind of what Caddy does not take', async () => {
  const { blind, found, inapplicable } = await check('a.example.org {\n\tno_such_directive\n}\n')
  expect([found, inapplicable, blind]).toMatchObject([
    [],
    [],
    [{ reason: expect.stringContaining('caddy adapt refuses it') }],
  ])
})

live('sitesOf() knows which headers Caddy sends, and where', async () => {
  using directory = temporaryDirectory()
  const port = freePort()
  const path = join(directory.path, 'Caddyfile')
  const text = `{
	admin off
	auto_https off
}
http://127.0.0.1:${port} {
	header X-All all
	handle /api/* {
		header X-Api api
		reverse_proxy 127.0.0.1:${freePort()}
	}
	handle {
		respond "here"
	}
}
`
  writeFileSync(path, text)
  const { stdout } = Bun.spawnSync([CADDY, 'adapt', '--config', path])
  const [site] = sitesOf(JSON.parse(stdout.toString()), { path, text })
  const environment = { HOME: directory.path, XDG_DATA_HOME: directory.path, XDG_CONFIG_HOME: directory.path }
  const child = Bun.spawn([CADDY, 'run', '--config', path], {
    env: environment,
    stdout: 'ignore',
    stderr: 'ignore',
  })
  try {
    const ask = (asked: string) => fetch(`http://127.0.0.1:${port}${asked}`)
    await waitUntil('Caddy is ready', 15_000, () =>
      ask('/').then(
        () => true,
        () => false,
      ),
    )
    for (const asked of ['/', '/api/x']) {
      const sent = [...(await ask(asked)).headers]
        .filter(([name]) => name.startsWith('x-'))
        .map(([name]) => name)
      const routes = site?.routesFor(asked) ?? []
      const route = asked === '/' ? routes.at(-1) : routes[0]
      expect([asked, [...(route?.headers.keys() ?? [])].toSorted()]).toEqual([asked, sent.toSorted()])
    }
  } finally {
    child.kill('SIGTERM')
    await child.exited
  }
})

test.each<[string, object, boolean[]]>([
  ['a name on 443', { listen: [':443'], routes: [{ match: [{ host: ['a'] }] }] }, [true]],
  ['a name on 80', { listen: [':80'], routes: [{ match: [{ host: ['a'] }] }] }, [false]],
  ['no name on 8443', { listen: [':8443'], routes: [{}] }, [false]],
  ['policies', { listen: ['127.0.0.1:8443'], routes: [{}], tls_connection_policies: [{}] }, [true]],
  [
    'automatic https switched off',
    { listen: [':443'], routes: [{ match: [{ host: ['a'] }] }], automatic_https: { disable: true } },
    [false],
  ],
])('sitesOf() says of %s whether that has TLS', (_, server, expected) => {
  const sites = sitesOf({ apps: { http: { servers: { srv0: server } } } }, { path: '/c', text: '' })
  expect(sites.flatMap(({ listens }) => listens.map(({ isTls }) => isTls))).toEqual(expected)
})

test('sitesOf() refuses what is no configuration of Caddy, and routes without end', () => {
  const source = { path: '/c', text: '' }
  expect(() => sitesOf({ apps: { http: { servers: [] } } }, source)).toThrow(z.ZodError)
  expect(sitesOf({}, source)).toEqual([])
  const nested = (depth: number): object =>
    depth === 0
      ? { handler: 'file_server' }
      : { handler: 'subroute', routes: [{ handle: [nested(depth - 1)] }] }
  const server = { listen: [':80'], routes: [{ handle: [nested(50)] }] }
  expect(() => sitesOf({ apps: { http: { servers: { srv0: server } } } }, source)).toThrow('nested deeper')
})

const RUN = { exitCode: 0, signal: null, timedOut: false, stdout: '{}', stderr: '', truncated: false }

test('adapted() takes nothing for all that is not all', () => {
  expect(adapted(RUN)).toBe('{}')
  expect(() => adapted({ ...RUN, timedOut: true, exitCode: null, signal: 'SIGKILL' })).toThrow(
    'did not end within 10 s',
  )
  expect(() => adapted({ ...RUN, truncated: true })).toThrow('printed more than')
  expect(() =>
    adapted({ ...RUN, exitCode: 1, stderr: 'Error: /etc/Caddyfile:7: unrecognized: hunter2' }),
  ).toThrow(/^caddy adapt refuses it \(1\) at line 7$/)
})

test.each([
  ['nginx version: nginx/1.22.1', ['TLSv1', 'TLSv1.1', 'TLSv1.2']],
  ['nginx version: nginx/1.26.2 (Debian)', ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']],
  ['nginx version: nginx/1.28.0', ['TLSv1.2', 'TLSv1.3']],
  ['rubbish', undefined],
])('protocolsOfVersion(%p)', (text, protocols) =>
  expect(protocolsOfVersion(text)).toEqual(protocols as string[]),
)
