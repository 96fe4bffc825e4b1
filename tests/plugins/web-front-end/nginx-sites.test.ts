import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseNginx } from '../../../plugins/web-front-end/nginx/parse.ts'
import { sitesOf } from '../../../plugins/web-front-end/nginx/sites.ts'
import { testWith } from '../../kit/needs.ts'
import { freePort, NGINX_PROGRAM, nginxConfiguration, startNginx } from '../../kit/nginx.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(30_000)

const live = testWith({ programs: [NGINX_PROGRAM] })
const sites = (http: string) => sitesOf(parseNginx('/x', `http {\n${http}\n}`))
const first = (http: string) => {
  const [site] = sites(http)
  if (!site) throw new Error('no server')
  return site
}

// Every location answers with its own words, so that the one that nginx chose can be seen.
const LOCATIONS = [
  '/',
  '= /',
  '/images/',
  '^~ /static/',
  '~ \\.php$',
  '~* \\.(gif|jpg)$',
  '= /exact',
  '/exact/',
  '~ ^/user/(?<name>\\w+)$',
  '^~ /static/deep',
  '~*^/glued',
]
const PATHS = [
  ...['/', '/x', '/images/a.gif', '/images/a.GIF', '/images/a', '/static/a.php', '/static/deep/a.php'],
  ...[
    '/a.php',
    '/a.PHP',
    '/exact',
    '/exact/',
    '/exact/b.php',
    '/user/kim',
    '/user/kim/',
    '/GLUED',
    '/inner/x',
  ],
  ...['/inner/y', '/inner/deep/z.txt', '/inner/deep/z.php', '/inner/last.php'],
]

live('sitesOf() gives the location that nginx chooses, with the headers that it sends', async () => {
  using directory = temporaryDirectory()
  chmodSync(directory.path, 0o755)
  const port = freePort()
  const own = (words: string, more = '') =>
    `location ${/[{}]/.test(words) ? `"${words}"` : words} { ${more} return 200 '${words.replaceAll('$', '%')}'; }`
  const path = nginxConfiguration(
    directory.path,
    `add_header X-Http h always;
    server { listen 127.0.0.1:${port}; server_name _;
      add_header X-Server s always; add_header X-Second t always;
      ${LOCATIONS.map((words, index) => own(words, index % 3 === 0 ? `add_header X-Own "${index}" always;` : '')).join('\n')}
      location /inner/ { add_header X-Inner i always; add_header X-Empty "" always;
        ${own('/inner/x')} ${own('/inner/deep/', 'add_header X-Deep d always;')} ${own('~ \\.txt$')}
        return 200 '/inner/'; }
    }`,
  )
  const [site] = sitesOf(parseNginx(path, readFileSync(path, 'utf8')))
  await using _ = await startNginx(path, port)
  for (const asked of PATHS) {
    const answer = await fetch(`http://127.0.0.1:${port}${asked}`)
    const [route] = site?.routesFor(asked) ?? []
    const headers = [...(route?.headers ?? [])].map(([name, { value }]) => `${name}: ${value}`)
    const sent = [...answer.headers]
      .filter(([name]) => name.startsWith('x-'))
      .map(([name, value]) => `${name}: ${value}`)
    expect([asked, route?.name, headers.toSorted()]).toEqual([
      asked,
      `location ${(await answer.text()).replaceAll('%', '$')}`,
      sent.toSorted(),
    ])
  }
})

live('sitesOf() knows what nginx tells the service behind, and where that is', async () => {
  using directory = temporaryDirectory()
  chmodSync(directory.path, 0o755)
  const port = freePort()
  await using upstream = disposable(
    Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: ({ headers }) => Response.json(Object.fromEntries(headers)),
    }),
  )
  const service = upstream.server.port ?? 0
  const path = nginxConfiguration(
    directory.path,
    `upstream pool { server 127.0.0.1:${service} weight=5; keepalive 2; }
    map $uri $chosen { default 127.0.0.1:${service}; }
    proxy_set_header X-Real-IP $remote_addr;
    server { listen 127.0.0.1:${port};
      location /direct { proxy_pass http://127.0.0.1:${service}; }
      location /pool { proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Real-IP ""; proxy_pass http://pool/; }
      location /variable { set $backend "http://127.0.0.1:${service}"; proxy_pass $backend; }
      location /map { proxy_pass http://$chosen; }
      location /fallback { try_files /nothing @app; }
      location @app { proxy_set_header X-Forwarded-Proto $scheme; proxy_pass http://127.0.0.1:${service}; }
    }`,
  )
  const [site] = sitesOf(parseNginx(path, readFileSync(path, 'utf8')))
  await using _ = await startNginx(path, port)
  for (const asked of ['/direct', '/pool', '/variable', '/map', '/fallback']) {
    const told = z
      .record(z.string(), z.string())
      .parse(await (await fetch(`http://127.0.0.1:${port}${asked}`)).json())
    const route = site?.routesFor(asked).at(-1)
    expect([asked, [...(route?.forwarded.keys() ?? [])].toSorted(), route?.targets]).toEqual([
      asked,
      Object.keys(told)
        .filter((name) => name.startsWith('x-'))
        .toSorted(),
      [{ host: '127.0.0.1', port: service }],
    ])
  }
})

live('sitesOf() sees a limit where nginx refuses, and none where it does not', async () => {
  using directory = temporaryDirectory()
  chmodSync(directory.path, 0o755)
  const port = freePort()
  const path = nginxConfiguration(
    directory.path,
    `limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
    limit_req_zone $binary_remote_addr zone=other:1m rate=60r/m;
    server { listen 127.0.0.1:${port}; root ${directory.path};
      location /free { try_files /none =404; }
      location /limited { limit_req zone=slow; try_files /none =404; }
      location /dry { limit_req zone=slow; limit_req_dry_run on; try_files /none =404; }
      location /nested { limit_req zone=other; location /nested/in { try_files /none =404; } }
    }`,
  )
  const [site] = sitesOf(parseNginx(path, readFileSync(path, 'utf8')))
  await using _ = await startNginx(path, port)
  for (const [asked, rates] of [
    ['/free', []],
    ['/limited', [1 / 60]],
    ['/dry', []],
    ['/nested/in', [1]],
  ] as const) {
    const answers: number[] = []
    for (let count = 0; count < 4; count++)
      answers.push((await fetch(`http://127.0.0.1:${port}${asked}`)).status)
    const [route] = site?.routesFor(asked) ?? []
    expect([asked, route?.limits.map(({ perSecond }) => perSecond), answers.includes(503)]).toEqual([
      asked,
      [...rates],
      rates.length > 0,
    ])
  }
})

function disposable<T extends { stop(force: boolean): Promise<void> }>(server: T) {
  return { server, [Symbol.asyncDispose]: () => server.stop(true) }
}

test('sitesOf() gives TLS settings that are in force, with their places', () => {
  const site = first(
    'ssl_protocols TLSv1 TLSv1.2;\nssl_ciphers HIGH;\nserver {\n listen 443 ssl http2;\n listen [::1]:8443 ssl; server_name a.example.org b;\n' +
      ' ssl_ciphers DEFAULT;\n ssl_certificate a.pem; ssl_certificate a.ec.pem; ssl_certificate_key a.key; ssl_certificate_key a.ec.key;\n}',
  )
  expect(site).toMatchObject({
    name: 'nginx server a.example.org:443',
    names: ['a.example.org', 'b'],
    listens: [
      { address: '*', port: 443, isTls: true, place: { line: 5 } },
      { address: '[::1]', port: 8443, isTls: true },
    ],
    protocols: { value: 'TLSv1 TLSv1.2', owner: 'nginx http', place: { path: '/x', line: 2 } },
    ciphers: { value: 'DEFAULT', owner: 'nginx server a.example.org:443', place: { line: 7 } },
  })
  expect(site.certificates.map(({ certificate, key }) => [certificate.value, key?.value])).toEqual([
    ['a.pem', 'a.key'],
    ['a.ec.pem', 'a.ec.key'],
  ])
})

test.each([
  ['server { }', [['*', 80, false]]],
  [
    'server { listen 8080; listen 127.0.0.1:81; }',
    [
      ['*', 8080, false],
      ['127.0.0.1', 81, false],
    ],
  ],
  [
    'server { listen unix:/run/x.sock; listen [::]:443 quic; }',
    [
      ['unix:/run/x.sock', 0, false],
      ['[::]', 443, true],
    ],
  ],
  ['server { listen 443; ssl on; }', [['*', 443, true]]],
])('sitesOf() knows where %s listens', (http, listens) => {
  expect(first(http).listens.map(({ address, port, isTls }) => [address, port, isTls])).toEqual(listens)
})

test.each([
  ['return 301 https://$host$request_uri;', true],
  ['return https://example.org/;', true],
  ['rewrite ^ https://$host$request_uri? permanent;', true],
  ['if ($scheme != "https") { return 301 https://$host$request_uri; }', true],
  ['if ($scheme = http) { return 301 https://$host$request_uri; }', true],
  ['if ($host = x) { return 301 https://$host$request_uri; }', false],
  ['server_name a; if ($host = a) { return 301 https://$host$request_uri; } return 404;', false],
  ['return 301 http://$host/;', false],
  ['return 200 ok;', false],
])('sitesOf() says of a server with %s whether it sends plain requests to https', (text, redirects) => {
  const site = first(`server { ${text} location /a { proxy_pass http://127.0.0.1:1; } }`)
  expect(site.routes.map((route) => route.redirects)).toEqual([redirects, redirects])
})

test.each([
  ['server_name a; if ($host = a) { return 301 https://$host$request_uri; } return 404;', true],
  ['server_name a b; if ($host = a) { return 301 https://$host$request_uri; } return 404;', false],
  [
    'server_name a b; if ($host = a) { return 301 https://$host$request_uri; } if ($host = b) { return 301 https://b$request_uri; } return 404;',
    true,
  ],
])(
  'sitesOf() says of a server of names alone, with %s, whether it sends them to https',
  (text, redirects) => {
    expect(first(`server { ${text} }`).routes.map((route) => route.redirects)).toEqual([redirects])
  },
)

test('sitesOf() says where a variable decides what it cannot know', () => {
  const site = first('server { location / { proxy_pass http://$arg_backend; } }')
  expect(site.routes.at(-1)).toMatchObject({
    targets: [],
    unclear: { reason: expect.stringContaining('$arg_backend'), port: undefined },
  })
})

test('sitesOf() sees the port where only the host is a variable', () => {
  const site = first('server { location / { proxy_pass http://$arg_host:8081/x; } }')
  expect(site.routes.at(-1)?.unclear?.port).toBe(8081)
})

test('sitesOf() reads servers of stream, too', () => {
  const [site] = sitesOf(
    parseNginx(
      '/x',
      'stream { upstream db { server [::1]:7402; } server { listen 7401 ssl; proxy_pass db; } }',
    ),
  )
  expect(site).toMatchObject({
    isStream: true,
    name: 'nginx stream server *:7401',
    listens: [{ port: 7401, isTls: true }],
    routes: [{ targets: [{ host: '::1', port: 7402 }] }],
  })
})
