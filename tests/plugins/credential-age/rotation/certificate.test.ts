import { afterAll, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import plugin from '../../../../plugins/credential-age/plugin.ts'
import { Authority } from '../../../kit/authority.ts'
import { pluginUnderTest, temporaryDirectory } from '../../../kit/plugin.ts'
import { DAY, NOW } from './service.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-issue-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const authority = new Authority(directory)
const days = { days: 2000 }
const [first, second, foreign] = [
  authority.issue('one', ['DNS:localhost'], days),
  authority.issue('two', ['DNS:localhost'], days),
  authority.issue('three', ['DNS:other.example.org'], days),
]

/** A TLS server that reads its files when it is told to, as nginx does on reload. */
async function site(work: string) {
  const [certificate, key] = [join(work, 'etc/tls.pem'), join(work, 'etc/tls.key')]
  mkdirSync(join(work, 'etc'))
  mkdirSync(join(work, 'bin'))
  copyFileSync(first.certificate, certificate)
  copyFileSync(first.key, key)
  chmodSync(key, 0o600)
  const load = () => ({ cert: readFileSync(certificate), key: readFileSync(key) })
  const server = tls.createServer(load())
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  // The program asks the server over a plain port.
  const control = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => {
      server.setSecureContext(load())
      return new Response('')
    },
  })
  const program = (name: string, script: string): [string] => {
    const path = join(work, 'bin', name)
    writeFileSync(path, `#!/bin/sh\nset -e\n${script}\n`)
    chmodSync(path, 0o755)
    return [path]
  }
  return {
    certificate,
    key,
    port: address.port,
    program,
    reload: program(
      'reload',
      `exec 3<>/dev/tcp/127.0.0.1/${control.port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null`,
    ),
    [Symbol.dispose]: () => {
      server.close()
      control.stop(true)
    },
  }
}

type Site = Awaited<ReturnType<typeof site>>

function rotating(work: string, { certificate, key, port }: Site, rotation: Record<string, unknown>) {
  const config = {
    exposure: { commandLines: false, histories: [] },
    use: { units: [], processes: false },
    credentials: [
      {
        kind: 'certificate' as const,
        path: certificate,
        name: 'site',
        keyFile: key,
        hostNames: ['localhost'],
        authority: authority.certificate,
        maxMode: '0644',
        rotation: { overlap: '1d', probe: { host: '127.0.0.1', port, serverName: 'localhost' }, ...rotation },
      },
    ],
  }
  const at = (nowMs: number) =>
    pluginUnderTest(plugin, config as never, { stateDir: join(work, 'state'), now: new Date(nowMs) })
  return {
    apply: async (nowMs: number) =>
      (
        await at(nowMs).apply([
          {
            rule: 'credential-rotation-due',
            subject: 'site',
            severity: 'warning',
            summary: 'due',
            fixable: true,
          },
        ])
      ).findings.map(({ summary }) => summary),
    check: async (nowMs: number) => (await at(nowMs).check()).findings.map(({ rule }) => rule),
  }
}

const bash = (argv: [string]): [string, string] => ['/bin/bash', argv[0]]
const issuing = (site: Site, from: { certificate: string; key: string }) => [
  ...site.program('issue', `cat '${from.certificate}' > "$1"; cat '${from.key}' > "$2"`),
  '{certificate}',
  '{keyFile}',
]

test('apply has a certificate issued, puts it in place with its key, and believes it when the port serves it', async () => {
  using work = temporaryDirectory()
  using www = await site(work.path)
  const job = rotating(work.path, www, { issue: issuing(www, second), reload: [bash(www.reload)] })
  expect(await job.apply(NOW)).toEqual([])
  expect(readFileSync(www.certificate, 'utf8')).toBe(readFileSync(second.certificate, 'utf8'))
  expect(readFileSync(www.key, 'utf8')).toBe(readFileSync(second.key, 'utf8'))
  expect(await job.check(NOW)).toEqual([])
  expect(await job.check(NOW + 2 * DAY)).toEqual(['credential-rotation-due'])
  expect(await job.apply(NOW + 2 * DAY)).toEqual([])
  expect(await job.check(NOW + 2 * DAY)).toEqual([])
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['tls.key', 'tls.pem'])
})

test.each([
  ['is for another name', foreign, 'is not for localhost'],
  [
    'is not for its key',
    { certificate: second.certificate, key: first.key },
    'does not belong to the new key',
  ],
])('apply refuses a certificate that %s, and leaves everything as it was', async (_, issued, reason) => {
  using work = temporaryDirectory()
  using www = await site(work.path)
  const job = rotating(work.path, www, { issue: issuing(www, issued), reload: [bash(www.reload)] })
  const [failure = ''] = await job.apply(NOW)
  expect(failure).toContain(reason)
  expect(readFileSync(www.certificate, 'utf8')).toBe(readFileSync(first.certificate, 'utf8'))
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['tls.key', 'tls.pem'])
})

test('apply puts the old certificate and key back when the port does not serve the new one', async () => {
  using work = temporaryDirectory()
  using www = await site(work.path)
  const job = rotating(work.path, www, { issue: issuing(www, second), reload: [['/bin/true']] })
  const [failure = ''] = await job.apply(NOW)
  expect(failure).toContain(`127.0.0.1:${www.port} does not serve the new certificate`)
  expect(readFileSync(www.certificate, 'utf8')).toBe(readFileSync(first.certificate, 'utf8'))
  expect(readFileSync(www.key, 'utf8')).toBe(readFileSync(first.key, 'utf8'))
})

test('apply lets an ACME client renew in place, and restores what a bad one left', async () => {
  using work = temporaryDirectory()
  using www = await site(work.path)
  const renewing = (certificate: string, key: string) =>
    www.program('renew', `cat '${certificate}' > '${www.certificate}'; cat '${key}' > '${www.key}'`)
  const reload = [bash(www.reload)]
  const bad = rotating(work.path, www, { renew: renewing(second.certificate, first.key), reload })
  expect((await bad.apply(NOW))[0]).toContain('does not belong to the new key')
  expect(readFileSync(www.certificate, 'utf8')).toBe(readFileSync(first.certificate, 'utf8'))
  const same = rotating(work.path, www, { renew: renewing(first.certificate, first.key), reload })
  expect((await same.apply(NOW))[0]).toContain('nothing was renewed')
  const good = rotating(work.path, www, { renew: renewing(second.certificate, second.key), reload })
  expect(await good.apply(NOW)).toEqual([])
  expect(await good.apply(NOW + 2 * DAY)).toEqual([])
  expect(readdirSync(join(work.path, 'etc'))).toEqual(['tls.key', 'tls.pem'])
})
