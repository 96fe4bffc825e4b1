import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import type { Finding } from '../../../agent/contract/mod.ts'
import plugin from '../../../plugins/web-front-end/plugin.ts'
import { Authority, openssl } from '../../kit/authority.ts'
import { testWith } from '../../kit/needs.ts'
import { askNginx, NGINX_PROGRAM } from '../../kit/nginx.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(30_000)

type Settings = z.input<typeof plugin.config>

const HTTP = `user www-data;
events { }
http {
  include conf.d/*.conf;
  include sites-enabled/*;
}
`

/** A host with these files below its root. */
function hostWith(files: Record<string, string>, settings: Settings = {}) {
  const root = temporaryDirectory()
  const write = (path: string, text: string) => {
    mkdirSync(dirname(root.path + path), { recursive: true })
    writeFileSync(root.path + path, text, { mode: 0o600 })
  }
  for (const [path, text] of Object.entries(files)) write(path, text)
  const check = () => pluginUnderTest(plugin, settings, { root: root.path, stateDir: '/state' }).check()
  return { path: root.path, write, check, [Symbol.dispose]: () => root[Symbol.dispose]() }
}

const site = (text: string) => ({ '/etc/nginx/nginx.conf': HTTP, '/etc/nginx/sites-enabled/a': text })
const brief = (findings: Finding[]) =>
  findings.map(({ rule, evidence }) => [rule, evidence?.path, evidence?.line])

test('check says that nothing applies where there is no front end', async () => {
  using host = hostWith({ '/etc/hostname': 'x' }, { fronts: [{ port: 1, requires: ['tls'] }] })
  const { findings, blind, inapplicable } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(inapplicable?.map(({ rule }) => rule).toSorted()).toEqual(Object.keys(plugin.rules).toSorted())
  expect(inapplicable?.[0]?.reason).toBe('neither nginx nor Caddy is installed')
})

test('check has nothing against a fresh Debian with nginx, and says that its rules of TLS do not apply', async () => {
  using host = hostWith(
    site(
      'server {\n listen 80 default_server;\n listen [::]:80 default_server;\n root /var/www/html;\n server_name _;\n location / { try_files $uri $uri/ =404; }\n}',
    ),
  )
  const { findings, blind, inapplicable } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(inapplicable?.find(({ rule }) => rule === 'old-protocol')?.reason).toBe(
    'no site of nginx or Caddy has TLS',
  )
})

const CLEAR =
  'server {\n listen 80;\n server_name a.example.org;\n location / {\n  proxy_pass http://127.0.0.1:9876;\n }\n}\n'
const TLS =
  'ssl_protocols TLSv1.2 TLSv1.3;\nserver {\n listen 443 ssl;\n server_name a.example.org;\n location / {\n  proxy_pass http://localhost:9876;\n }\n}\n'

test.each<[name: string, text: string, front: NonNullable<Settings['fronts']>[number], found: unknown[]]>([
  ['a service in clear', CLEAR, { port: 9876 }, [['front-without-tls', '/etc/nginx/sites-enabled/a', 4]]],
  ['a service over TLS', TLS, { port: 9876 }, []],
  ['a service on the loopback only', CLEAR.replace('listen 80', 'listen 127.0.0.1:80'), { port: 9876 }, []],
  [
    'a server that sends away',
    CLEAR.replace(' location', ' return 301 https://$host$request_uri;\n location'),
    { port: 9876 },
    [],
  ],
  ['another service', CLEAR, { port: 9877 }, []],
  [
    'another service that has to be fronted',
    CLEAR,
    { port: 9877, required: true },
    [['no-front', undefined, undefined]],
  ],
  [
    'a port that begins alike',
    CLEAR.replace('9876', '98761'),
    { port: 9876, required: true },
    [['no-front', undefined, undefined]],
  ],
  [
    'no limit',
    TLS,
    { port: 9876, requires: ['rate-limit'] },
    [['front-without-rate-limit', '/etc/nginx/sites-enabled/a', 5]],
  ],
  [
    'a limit in a location',
    `limit_req_zone $binary_remote_addr zone=a:10m rate=10r/s;\n${TLS.replace('  proxy', '  limit_req zone=a burst=20 nodelay;\n  proxy')}`,
    { port: 9876, requires: ['rate-limit'], mostPerSecond: 10 },
    [],
  ],
  [
    'a limit that is too high',
    `limit_req_zone $binary_remote_addr zone=a:10m rate=50r/s;\n${TLS.replace('  proxy', '  limit_req zone=a;\n  proxy')}`,
    { port: 9876, requires: ['rate-limit'], mostPerSecond: 10 },
    [['front-without-rate-limit', '/etc/nginx/sites-enabled/a', 6]],
  ],
  [
    'a limit for the requests that are meant',
    `limit_req_zone $binary_remote_addr zone=a:10m rate=10r/s;\n${TLS.replace(' location', ' location /register { limit_req zone=a; proxy_pass http://127.0.0.1:9876; }\n location')}`,
    { port: 9876, paths: ['/register'], requires: ['rate-limit'] },
    [],
  ],
  [
    'nobody told who asks',
    TLS,
    { port: 9876, requires: ['forward-headers'] },
    [['front-without-forward-headers', '/etc/nginx/sites-enabled/a', 5]],
  ],
  [
    'the client believed',
    TLS.replace(
      '  proxy',
      '  proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-For $http_x_forwarded_for;\n  proxy',
    ),
    { port: 9876, requires: ['forward-headers'] },
    [['front-without-forward-headers', '/etc/nginx/sites-enabled/a', 5]],
  ],
  [
    'the service told who asks',
    `proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n${TLS}`,
    { port: 9876, requires: ['forward-headers'] },
    [],
  ],
  [
    'no HSTS',
    TLS,
    { port: 9876, requires: ['hsts'] },
    [
      ['no-hsts', '/etc/nginx/sites-enabled/a', 5],
      ['front-without-hsts', '/etc/nginx/sites-enabled/a', 5],
    ],
  ],
  [
    'HSTS',
    `add_header Strict-Transport-Security "max-age=31536000";\n${TLS}`,
    { port: 9876, requires: ['hsts'] },
    [],
  ],
  [
    'HSTS that a location drops',
    `add_header Strict-Transport-Security max-age=31536000;\n${TLS.replace('  proxy', '  add_header X-A b;\n  proxy')}`,
    { port: 9876, requires: ['hsts'] },
    [
      ['no-hsts', '/etc/nginx/sites-enabled/a', 6],
      ['front-without-hsts', '/etc/nginx/sites-enabled/a', 6],
    ],
  ],
  [
    'headers missing',
    TLS,
    { port: 9876, requires: ['headers'] },
    [['front-without-headers', '/etc/nginx/sites-enabled/a', 5]],
  ],
  [
    'headers',
    `add_header X-Content-Type-Options nosniff; add_header X-Frame-Options deny; add_header Referrer-Policy no-referrer;\n${TLS}`,
    { port: 9876, requires: ['headers'] },
    [],
  ],
  [
    'plain HTTP that answers, too',
    `${TLS}server {\n listen 80;\n server_name a.example.org;\n root /srv;\n}\n`,
    { port: 9876, requires: ['redirect'] },
    [['front-without-redirect', '/etc/nginx/sites-enabled/a', 5]],
  ],
  [
    'plain HTTP that leads to https but for the renewal of certificates',
    `${TLS}server { listen 80; server_name a.example.org;
      location /.well-known/acme-challenge/ { root /srv; } location / { return 301 https://$host$request_uri; } }`,
    { port: 9876, requires: ['redirect'] },
    [],
  ],
  [
    'what certbot writes',
    `${TLS}server { if ($host = a.example.org) { return 301 https://$host$request_uri; } # managed by Certbot
      listen 80; server_name a.example.org; return 404; }`,
    { port: 9876, requires: ['redirect'] },
    [],
  ],
  [
    'a variable that leads to another port',
    `${TLS}server { listen 127.0.0.1:80; location / { proxy_pass http://$arg_to:9877; } }`,
    { port: 9876, required: true },
    [],
  ],
  [
    'plain HTTP that leads to https',
    `${TLS}server { listen 80; server_name a.example.org; return 301 https://$host$request_uri; }`,
    { port: 9876, requires: ['redirect'] },
    [],
  ],
])('check judges %s', async (_, text, front, found) => {
  using host = hostWith(site(text), { fronts: [front] })
  const { findings, blind } = await host.check()
  expect(blind).toEqual([])
  const ofFront = findings.filter(({ rule }) => rule !== 'no-hsts' || front.requires?.includes('hsts'))
  expect(brief(ofFront)).toEqual(found as ReturnType<typeof brief>)
  for (const { rule, remedy } of findings) expect([rule, remedy]).toEqual([rule, expect.any(String)])
})

test('check tells a setting for many sites once, and its command puts it right', async () => {
  const server = (name: string) => `server { listen 443 ssl; server_name ${name}; }\n`
  using host = hostWith({
    '/etc/nginx/nginx.conf': HTTP.replace(
      'http {',
      'http {\n  ssl_protocols TLSv1 TLSv1.1 TLSv1.2; # old\n  ssl_ciphers HIGH;',
    ),
    '/etc/nginx/sites-enabled/a': server('a') + server('b'),
  })
  const { findings } = await host.check()
  expect(
    findings
      .filter(({ rule }) => rule !== 'no-hsts')
      .map(({ rule, subject, evidence }) => [rule, subject, evidence?.line]),
  ).toEqual([
    ['old-protocol', 'nginx http', 4],
    ['weak-cipher', 'nginx http', 5],
  ])
  for (const { remedy = '', rule } of findings) {
    if (rule === 'no-hsts') continue
    const [command = ''] = remedy.split(' && ')
    Bun.spawnSync(['sh', '-c', command.replace(' /etc', ` ${host.path}/etc`)])
  }
  expect((await host.check()).findings.map(({ rule }) => rule)).toEqual(['no-hsts', 'no-hsts'])
})

testWith({ programs: [NGINX_PROGRAM] })(
  'check asks nginx for its version where nobody says which TLS it offers',
  async () => {
    using host = hostWith(site('server { listen 443 ssl; server_name a; }'))
    const { findings, blind } = await host.check()
    const { stderr } = Bun.spawnSync([NGINX_PROGRAM, '-v'])
    const isOld = /nginx\/1\.(?:[01]?\d|2[0-6])\./.test(stderr.toString())
    expect([
      blind,
      findings.some(({ rule, subject }) => rule === 'old-protocol' && subject === 'nginx by default'),
    ]).toEqual([[], isOld])
  },
)

test('check examines certificates and keys: there, private, of each other, and not signed by themselves', async () => {
  const listen = (address: string, name: string) =>
    `server { listen ${address} ssl; server_name ${name}; ssl_certificate /etc/ssl/${name}.pem; ssl_certificate_key /etc/ssl/${name}.key; }\n`
  using host = hostWith(
    site(
      `ssl_protocols TLSv1.3; add_header Strict-Transport-Security max-age=99999999;\n${['good', 'swapped', 'self', 'rubbish', 'missing', 'open'].map((name) => listen('443', name)).join('')}${listen('127.0.0.1:443', 'inside')}`,
    ),
  )
  const authority = new Authority(host.path)
  const place = (name: string, from: { certificate: string; key: string }) => {
    mkdirSync(join(host.path, 'etc/ssl'), { recursive: true })
    copyFileSync(from.certificate, join(host.path, `etc/ssl/${name}.pem`))
    copyFileSync(from.key, join(host.path, `etc/ssl/${name}.key`))
    chmodSync(join(host.path, `etc/ssl/${name}.key`), name === 'open' ? 0o644 : 0o600)
  }
  const good = authority.issue('good', ['DNS:good'])
  place('good', good)
  place('open', authority.issue('open', ['DNS:open']))
  place('swapped', { certificate: good.certificate, key: authority.issue('other', []).key })
  const self = { certificate: join(host.path, 'self.pem'), key: join(host.path, 'self.key') }
  openssl(
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'rsa:2048',
    '-keyout',
    self.key,
    '-out',
    self.certificate,
    '-subj',
    '/CN=self',
  )
  place('self', self)
  place('inside', self)
  host.write('/etc/ssl/rubbish.pem', 'no certificate')
  host.write('/etc/ssl/rubbish.key', 'no key')
  const { findings, blind } = await host.check()
  expect(blind).toEqual([])
  expect(findings.map(({ rule, subject }) => `${rule} ${subject}`).toSorted()).toEqual([
    'certificate-unusable /etc/ssl/missing.key',
    'certificate-unusable /etc/ssl/missing.pem',
    'certificate-unusable /etc/ssl/rubbish.key',
    'certificate-unusable /etc/ssl/rubbish.pem',
    'key-mismatch /etc/ssl/swapped.key',
    'key-readable /etc/ssl/open.key',
    'self-signed-certificate /etc/ssl/self.pem',
  ])
  const open = findings.find(({ rule }) => rule === 'key-readable')
  expect([open?.severity, open?.remedy]).toEqual(['critical', 'chmod 0600 -- /etc/ssl/open.key'])
  expect(JSON.stringify(findings)).not.toContain(readFileSync(good.key, 'utf8').split('\n')[1])
})

test.each<[name: string, files: Record<string, string>, reason: string]>([
  ['a file does not parse', site('server { listen 80; '), 'unexpected end of file'],
  ['a file is missing', { '/etc/nginx/nginx.conf': 'http { include sites; }' }, 'does not exist'],
  ['a foreign file has its name', { '/etc/nginx/nginx.conf': '\0\x01ELF{{{' }, '/etc/nginx/nginx.conf'],
  ['it includes itself', { '/etc/nginx/nginx.conf': 'include nginx.conf;' }, '16 deep'],
  [
    'it leads elsewhere',
    { '/etc/nginx/nginx.conf': 'http { include /srv/x.conf; }', '/srv/x.conf': '' },
    'add its directory to `directories`',
  ],
  ['it is too large', { '/etc/nginx/nginx.conf': `#${'x'.repeat(5_000_000)}` }, 'bytes'],
])('check is blind when %s', async (_, files, reason) => {
  using host = hostWith(files, { fronts: [{ port: 9876, required: true }] })
  const { findings, blind, inapplicable } = await host.check()
  expect({ findings, inapplicable }).toEqual({ findings: [], inapplicable: [] })
  expect(blind).toMatchObject([{ reason: expect.stringContaining(reason) }])
})

test('check is blind of a link that leads nowhere, and of a loop of links', async () => {
  using host = hostWith(site(CLEAR), { fronts: [{ port: 9876 }] })
  symlinkSync('/etc/nginx/gone', `${host.path}/etc/nginx/sites-enabled/b`)
  expect((await host.check()).blind).toMatchObject([{ subject: '/etc/nginx/nginx.conf' }])
  rmSync(`${host.path}/etc/nginx/sites-enabled/b`)
  symlinkSync('b', `${host.path}/etc/nginx/sites-enabled/b`)
  expect((await host.check()).blind).toMatchObject([{ subject: '/etc/nginx/nginx.conf' }])
})

test('check is blind where a variable decides what fronts a service', async () => {
  using host = hostWith(site('server { listen 127.0.0.1:80; location / { proxy_pass http://$arg_to; } }'), {
    fronts: [{ port: 9876, required: true }],
  })
  const { findings, blind } = await host.check()
  expect([findings, blind]).toMatchObject([
    [],
    [{ subject: 'port 9876', rules: ['no-front', 'front-without-tls'] }],
  ])
})

test('check tells which site fronts which service', async () => {
  using host = hostWith(site(TLS), { fronts: [{ port: 9876 }] })
  expect((await host.check()).facts).toEqual([
    {
      kind: 'web-front',
      subject: 'nginx server a.example.org:443 -> 9876',
      data: {
        port: 9876,
        names: 'a.example.org',
        listens: '*:443',
        tls: true,
        path: '/etc/nginx/sites-enabled/a',
        line: 2,
      },
    },
  ])
})

testWith({ programs: [NGINX_PROGRAM] })(
  'what remedies say, carried out, puts it right, and nginx takes it',
  async () => {
    const requires = ['hsts', 'headers', 'rate-limit', 'forward-headers'] as const
    using host = hostWith(
      {
        '/etc/nginx/nginx.conf': 'events { }\nhttp {\n  error_log stderr;\n  include sites-enabled/*;\n}\n',
        '/etc/nginx/sites-enabled/a': TLS,
      },
      { fronts: [{ port: 9876, requires: [...requires] }] },
    )
    const { findings } = await host.check()
    expect(findings.map(({ rule }) => rule)).toEqual([
      'no-hsts',
      ...requires.map((one) => `front-without-${one}`),
    ])
    const insert = (path: string, line: number, text: string) => {
      const lines = readFileSync(host.path + path, 'utf8').split('\n')
      writeFileSync(host.path + path, lines.toSpliced(line, 0, text).join('\n'))
    }
    for (const { rule, remedy = '', evidence } of findings) {
      const lines = remedy.match(/^(?:add_header|proxy_set_header) .*;$|limit_req zone=[^;]*;/gm) ?? []
      // The block begins at that line.
      if (rule !== 'no-hsts') insert(String(evidence?.path), Number(evidence?.line), lines.join(' '))
      const zone = /limit_req_zone [^;]*;/.exec(remedy)?.[0]
      if (zone) insert('/etc/nginx/nginx.conf', 2, zone)
    }
    expect((await host.check()).findings).toEqual([])
    const path = `${host.path}/etc/nginx/nginx.conf`
    writeFileSync(path, `pid ${host.path}/pid; ${readFileSync(path, 'utf8')}`)
    // Without a certificate it does not start; all else it takes.
    expect(askNginx('-t', path).stderr).toContain('no "ssl_certificate" is defined')
  },
)

testWith({ programs: [NGINX_PROGRAM] })('what check takes for right, nginx takes, too', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'nginx.conf')
  writeFileSync(path, `error_log stderr; pid ${directory.path}/pid; events {} http { ${CLEAR} }`)
  expect(askNginx('-t', path).stderr).toContain('syntax is ok')
})
