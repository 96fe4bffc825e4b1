import { afterAll, beforeAll, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { TlsTarget } from '../../../agent/contract/host.ts'
import { ALL_GRANTS, type Grants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { Authority } from '../../kit/authority.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-tls-'))
let certificates: { default: tls.SecureContextOptions; other: tls.SecureContextOptions }
beforeAll(() => {
  const authority = new Authority(directory)
  const made = (name: string) => {
    const { certificate, key } = authority.issue(name, [`DNS:${name}`])
    const chain = readFileSync(certificate, 'utf8') + readFileSync(authority.certificate, 'utf8')
    return { cert: chain, key: readFileSync(key) }
  }
  certificates = { default: made('default.example.org'), other: made('other.example.org') }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const host = (grants: Partial<Grants> = {}) => new LocalHostReader('/', { ...ALL_GRANTS, ...grants })

async function listening(server: net.Server): Promise<{ port: number } & AsyncDisposable> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close()
    },
  }
}

/** A server that says these things in clear, each after the client has said something, and then does TLS. */
function speaking(greeting: string, answers: (string | Uint8Array)[]) {
  return net.createServer((socket) => {
    socket.on('error', () => {})
    socket.write(greeting)
    const rest = [...answers]
    const next = () => {
      const answer = rest.shift()
      if (answer === undefined) return
      if (rest.length === 0) {
        socket.off('data', next)
        socket.write(answer)
        const secure = new tls.TLSSocket(socket, { isServer: true, ...certificates.default })
        secure.on('error', () => {})
      } else socket.write(answer)
    }
    socket.on('data', next)
  })
}

const nameOf = (der: Uint8Array | undefined) => der && new X509Certificate(der).subject

test('handshake() shows the chain that a port serves, by the name that is asked for', async () => {
  const context = tls.createSecureContext(certificates.other)
  const sni: tls.TlsOptions['SNICallback'] = (name, answer) =>
    answer(null, name === 'other.example.org' ? context : undefined)
  const server = tls.createServer({ ...certificates.default, SNICallback: sni })
  server.on('tlsClientError', () => {})
  await using listener = await listening(server)
  const target = { host: '127.0.0.1', port: listener.port }
  const first = await host().handshake(target)
  expect(first.certificates.map(nameOf)).toEqual(['CN=default.example.org', 'CN=authority'])
  expect(first.protocol).toBe('TLSv1.3')
  const other = await host().handshake({ ...target, serverName: 'other.example.org' })
  expect(nameOf(other.certificates[0])).toBe('CN=other.example.org')
})

test.each([
  [
    'smtp',
    '220-mail.example.org\r\n220 ESMTP\r\n',
    ['250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n', '220 go\r\n'],
  ],
  ['imap', '* OK ready\r\n', ['* CAPABILITY IMAP4rev1\r\nr1 OK begin\r\n']],
  ['postgres', '', ['S']],
] as const)('handshake() asks for TLS as %s does', async (startTls, greeting, answers) => {
  await using listener = await listening(speaking(greeting, [...answers]))
  const { certificates: chain } = await host().handshake({ host: '127.0.0.1', port: listener.port, startTls })
  expect(nameOf(chain[0])).toBe('CN=default.example.org')
})

const refusals: [string, TlsTarget['startTls'], string, string[], string][] = [
  ['does not offer it', 'smtp', '220 hi\r\n', ['250 SIZE 1\r\n', ''], 'it does not offer STARTTLS'],
  ['greets otherwise', 'smtp', 'SSH-2.0-x\r\n', [], 'it does not greet as SMTP does'],
  ['refuses it', 'imap', '* OK hi\r\n', ['r1 BAD no\r\n', ''], 'it refuses STARTTLS'],
  ['refuses it', 'postgres', '', ['N', ''], 'it refuses TLS'],
  ['speaks something else', 'postgres', '', ['E', ''], 'it does not answer as PostgreSQL does'],
  [
    'speaks before the handshake',
    'smtp',
    '220 x\r\n',
    ['250 STARTTLS\r\n', '220 go\r\n250 injected\r\n'],
    'the server speaks before the handshake',
  ],
  [
    'never ends its greeting',
    'smtp',
    `220-${'x'.repeat(40_000)}`,
    [],
    'it says more than 16384 bytes before the handshake',
  ],
  ['says nothing', 'smtp', '', [], 'there is no answer within 300 ms'],
  ['says nothing', undefined, '', [], 'there is no answer within 300 ms'],
  ['speaks no TLS', undefined, 'HTTP/1.1 400 Bad Request\r\n\r\n', [], 'it does not speak TLS as it should'],
]
test.each(refusals)(
  'handshake() says so when a server %s (%s)',
  async (_, startTls, greeting, answers, reason) => {
    await using listener = await listening(speaking(greeting, answers))
    const target = { host: '127.0.0.1', port: listener.port, startTls, timeoutMs: 300 }
    await expect(host().handshake(target)).rejects.toThrow(
      `Cannot see the certificate of "127.0.0.1:${listener.port}": ${reason}`,
    )
  },
)

test('handshake() gives up on a server that answers a byte at a time', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    const drip = setInterval(() => socket.write('2'), 20)
    socket.on('close', () => clearInterval(drip))
  })
  await using listener = await listening(server)
  const began = performance.now()
  const target = { host: '127.0.0.1', port: listener.port, startTls: 'smtp', timeoutMs: 300 } as const
  await expect(host().handshake(target)).rejects.toThrow('there is no answer within 300 ms')
  expect(performance.now() - began).toBeLessThan(5000)
})

test('handshake() says when nothing listens, and connects nowhere else than granted', async () => {
  await using listener = await listening(net.createServer())
  const { port } = listener
  await listener[Symbol.asyncDispose]()
  await expect(host().handshake({ host: '127.0.0.1', port })).rejects.toThrow('nothing listens there')
  const grants = { net: ['127.0.0.1:1', '[::1]:2'] }
  await expect(host(grants).handshake({ host: '127.0.0.1', port: 2 })).rejects.toThrow(
    'the job does not declare it (permissions.net)',
  )
  await expect(host(grants).handshake({ host: '::1', port: 2 })).rejects.toThrow('Cannot see the certificate')
})

test('handshake() ends when the run does', async () => {
  await using listener = await listening(speaking('', []))
  const abort = new AbortController()
  const answer = host().handshake({ host: '127.0.0.1', port: listener.port, signal: abort.signal })
  abort.abort(new Error('the run was ended'))
  await expect(answer).rejects.toThrow('the run was ended')
})
