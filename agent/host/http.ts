import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { HttpAnswer, HttpRequest } from '../contract/host.ts'
import { errnoOf, NotPermittedError } from '../lib/errors.ts'
import { chainOf, connectionFault, demandConnection, netAddress, watchConnection } from './connection.ts'
import type { Grants } from './grants.ts'
import { ChunkedBody, endOfHead, framingOf, type Head, MAX_HEAD_BYTES, parseHead } from './http-answer.ts'

const DEFAULT_TIMEOUT_MS = 5000
const DEFAULT_MAX_BODY_BYTES = 65_536
/** Informational answers before the one that counts. */
const MAX_INFORMATIONAL = 8

/**
 * One request over a connection of its own, to the very address that is given: no proxy, no redirect, no cookies, no
 * compression. Time and size of all that comes back are bounded. Over https nothing is sent to a server that is not
 * trusted; that is an error of the code "EUNTRUSTED".
 */
export async function requestHttp(grants: Grants, request: HttpRequest): Promise<HttpAnswer> {
  const url = new URL(request.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`Cannot ask "${url.protocol}": wanted http or https`)
  }
  const isSecure = url.protocol === 'https:'
  const port = Number(url.port || (isSecure ? 443 : 80))
  const urlHost = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const host = request.connectTo ?? urlHost
  if (request.socketPath === undefined) demandConnection(grants, host, port)
  else demandSocket(grants, request.socketPath)
  const question = encodeRequest(url, request)
  request.signal?.throwIfAborted()
  // Loaded when something is asked: most runs do not.
  const [net, tls] = await Promise.all([import('node:net'), import('node:tls')])
  const startedMs = performance.now()
  const raw = request.socketPath === undefined ? net.connect({ host, port }) : net.connect(request.socketPath)
  const watch = watchConnection(raw, {
    timeoutMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    signal: request.signal,
  })
  let secure: TLSSocket | undefined
  const converse = async (): Promise<HttpAnswer> => {
    await new Promise<void>((resolve) => raw.once('connect', () => resolve()))
    let shown: HttpAnswer['tls']
    if (isSecure) {
      const isName = net.isIP(urlHost) === 0
      secure = tls.connect({
        socket: raw,
        ...(isName ? { servername: urlHost } : {}),
        ...(request.authorities === undefined ? {} : { ca: request.authorities }),
        rejectUnauthorized: false,
      })
      secure.on('error', watch.end)
      await new Promise<void>((resolve) => secure?.once('secureConnect', () => resolve()))
      shown = { certificates: chainOf(secure), protocol: secure.getProtocol() ?? 'unknown' }
      const distrust = distrustOf(secure, tls.checkServerIdentity(urlHost, secure.getPeerCertificate(true)))
      if (distrust !== undefined) throw Object.assign(new Error(distrust), { code: 'EUNTRUSTED' })
    }
    const answer = readAnswer(secure ?? raw, request)
    ;(secure ?? raw).write(question)
    return { ...(await answer), tls: shown, durationMs: performance.now() - startedMs }
  }
  try {
    const conversation = converse()
    conversation.catch(() => {})
    return await Promise.race([conversation, watch.ended])
  } catch (error) {
    request.signal?.throwIfAborted()
    const place = request.socketPath ?? netAddress(host, port)
    const code = errnoOf(error)
    const fault = new Error(`Cannot ask "${place}": ${connectionFault(error)}`, { cause: error })
    throw code === undefined ? fault : Object.assign(fault, { code })
  } finally {
    secure?.destroy()
    watch.release()
  }
}

function demandSocket({ net }: Grants, path: string): void {
  if (net.includes('*') || net.includes(`unix:${path}`)) return
  throw new NotPermittedError(
    `Cannot connect to "unix:${path}": the job does not declare it (permissions.net)`,
  )
}

const DISTRUST: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its chain ends with a certificate that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'who issued its certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'who issued its certificate is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
}

function distrustOf(socket: TLSSocket, isOther: Error | undefined): string | undefined {
  // "As text": the type says Error, what comes is the code.
  const code = socket.authorized ? undefined : String(socket.authorizationError)
  if (code !== undefined) return DISTRUST[code] ?? 'its certificate is not trusted'
  return isOther ? DISTRUST.ERR_TLS_CERT_ALTNAME_INVALID : undefined
}

function encodeRequest(url: URL, { method = 'GET', headers = {}, body }: HttpRequest): Buffer {
  const own: Record<string, string> = {
    host: url.host,
    'user-agent': 'reeve',
    accept: '*/*',
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    connection: 'close',
  }
  const content = Buffer.from(body ?? '')
  if (body !== undefined) own['content-length'] = String(content.length)
  const lines = Object.entries(own).map(([name, value]) => `${name}: ${value}`)
  const first = `${method} ${url.pathname}${url.search} HTTP/1.1`
  if ([first, ...lines].some((line) => /[\r\n\0]/.test(line))) {
    throw new Error('Cannot send this request: a header of it has more than one line')
  }
  return Buffer.concat([Buffer.from(`${[first, ...lines].join('\r\n')}\r\n\r\n`), content])
}

type Received = Omit<HttpAnswer, 'tls' | 'durationMs'>

/** Reads until the answer is whole or as large as is wanted. What breaks off is an error. */
function readAnswer(socket: Socket, request: HttpRequest): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>()
  const reader = new AnswerReader(request)
  const attempt = (work: () => void) => {
    try {
      work()
      if (reader.body?.isDone) resolve(reader.body.answer())
    } catch (error) {
      reject(error)
    }
  }
  socket.on('data', (chunk: Buffer) => attempt(() => reader.take(chunk)))
  socket.on('end', () => attempt(() => reader.end()))
  return promise
}

class AnswerReader {
  body: BodyReader | undefined
  private pending: Buffer = Buffer.alloc(0)
  private informational = 0

  constructor(private readonly request: HttpRequest) {}

  take(chunk: Buffer): void {
    if (this.body) {
      this.body.take(chunk)
      return
    }
    this.pending = Buffer.concat([this.pending, chunk])
    for (let end = this.wholeHead(); end >= 0; end = this.wholeHead()) {
      const head = parseHead(this.pending.toString('latin1', 0, end))
      this.pending = this.pending.subarray(end)
      if (head.status >= 200) {
        const { method = 'GET', maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = this.request
        this.body = new BodyReader(head, method, maxBodyBytes)
        this.body.take(this.pending)
        return
      }
      if (++this.informational > MAX_INFORMATIONAL) throw new Error('it has no end of informational answers')
    }
  }

  /** Where the next head ends; -1 when it is not there yet. */
  private wholeHead(): number {
    const { pending } = this
    const end = endOfHead(pending)
    if (end > MAX_HEAD_BYTES || (end < 0 && pending.length > MAX_HEAD_BYTES)) {
      throw new Error(`the head of its answer has more than ${MAX_HEAD_BYTES} bytes`)
    }
    if (end < 0 && !'HTTP/1.'.startsWith(pending.toString('latin1', 0, 7))) {
      throw new Error('it does not speak HTTP')
    }
    return end
  }

  /** The server has said all that it will say. */
  end(): void {
    if (!this.body) throw new Error('the server closed the connection')
    this.body.end()
  }
}

class BodyReader {
  isDone = false
  private readonly parts: Buffer[] = []
  private bytes = 0
  private received = 0
  private truncated = false
  private readonly framing
  private readonly chunks = new ChunkedBody()

  constructor(
    private readonly head: Head,
    method: string,
    private readonly limit: number,
  ) {
    this.framing = framingOf(head, method)
    this.isDone =
      this.framing.kind === 'none' || (this.framing.kind === 'length' && this.framing.length === 0)
  }

  take(chunk: Buffer): void {
    if (this.isDone) return
    const { framing } = this
    this.received += chunk.length
    for (const part of framing.kind === 'chunked' ? this.chunks.take(chunk) : [chunk]) this.keep(part)
    if (this.truncated || this.chunks.isDone) this.isDone = true
    if (framing.kind === 'length' && this.received >= framing.length) this.isDone = true
  }

  private keep(part: Buffer): void {
    const room = this.limit - this.bytes
    if (part.length > room) this.truncated = true
    this.parts.push(part.subarray(0, room))
    this.bytes += Math.min(part.length, room)
  }

  /** The server has said all that it will say. */
  end(): void {
    if (this.framing.kind !== 'until-close' && !this.isDone) throw new Error('its answer breaks off')
    this.isDone = true
  }

  answer(): Received {
    const whole = Buffer.concat(this.parts)
    const { framing } = this
    const body = framing.kind === 'length' ? whole.subarray(0, framing.length) : whole
    return { ...this.head, body: new Uint8Array(body), truncated: this.truncated }
  }
}
