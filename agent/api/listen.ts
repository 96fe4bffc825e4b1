import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { parseHostPort } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../contract/plugin.ts'
import { Accounts } from '../host/accounts.ts'
import { describeError, errnoOf, UserError } from '../lib/errors.ts'
import { judgeBind } from './bind.ts'
import type { App } from './front.ts'
import { MAX_BODY_BYTES } from './limit.ts'

/** How long requests that are under way may take when a listener stops. */
const GRACE_MS = 2000

export interface Listener {
  /** "http://127.0.0.1:7338" or "unix:/run/reeve/reeve.sock". */
  url: string
  /** Accepts nothing new, lets what is under way end, and cuts it after two seconds. */
  stop(): Promise<void>
}

interface TcpOptions {
  transport: 'tcp'
  api: Pick<Config['api'], 'listen' | 'tls'>
  app: App
  /** Whether there is a usable token: asked when others than this machine are to be let in. */
  hasToken(): boolean | Promise<boolean>
}

interface SocketOptions {
  transport: 'socket'
  path: string
  /** Its members may connect, without a token. */
  group: string
  app: App
  log: Log
}

/**
 * Serves an app on TCP or on a unix socket. Throws UserError, with what to do, when that cannot be: the
 * address is refused or taken, a TLS file cannot be used, the socket is in use.
 */
export async function listen(options: TcpOptions | SocketOptions): Promise<Listener> {
  return options.transport === 'tcp' ? await listenTcp(options) : await listenSocket(options)
}

async function listenTcp({ api, app, hasToken }: TcpOptions): Promise<Listener> {
  const refusal = judgeBind(api, false) && judgeBind(api, await hasToken())
  if (refusal) throw new UserError(refusal)
  const { host, port } = parseHostPort(api.listen) ?? { host: '127.0.0.1', port: 0 }
  const tls = api.tls && {
    cert: readTlsFile(api.tls.certificate, false),
    key: readTlsFile(api.tls.key, true),
    ...(api.tls.clientAuthority && {
      ca: readTlsFile(api.tls.clientAuthority, false),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  }
  try {
    const server = Bun.serve({
      ...serving(app, (request, server) => server.requestIP(request)?.address),
      hostname: host,
      port,
      // Bun shares the port with `development: false` unless told: two daemons would answer by turns.
      reusePort: false,
      ...(tls && { tls }),
    })
    return { url: originOf(host, server.port ?? port, tls !== undefined), stop: () => stopServer(server) }
  } catch (error) {
    throw new UserError(cannotListen(api.listen, port, error), { cause: error })
  }
}

/**
 * The socket is 0660 and of `group`; where that group does not exist or may not be given, 0600. It takes the
 * place of one that nobody answers on any more.
 */
async function listenSocket({ path, group, app, log }: SocketOptions): Promise<Listener> {
  await removeStale(path)
  const previousMask = process.umask()
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    // Nobody may connect before mode and group are right.
    process.umask(0o177)
    const server = Bun.serve({ ...serving(app, () => undefined), unix: path })
    share(path, group, log)
    return { url: `unix:${path}`, stop: () => stopServer(server) }
  } catch (error) {
    throw new UserError(`Cannot listen on "${path}": ${describeError(error)}`, { cause: error })
  } finally {
    process.umask(previousMask)
  }
}

type Server = Bun.Server<undefined>

function serving(app: App, remoteOf: (request: Request, server: Server) => string | undefined) {
  return {
    development: false,
    maxRequestBodySize: MAX_BODY_BYTES,
    fetch(request: Request, server: Server) {
      const keepOpen = () => server.timeout(request, 0)
      return app.fetch(request, { remote: remoteOf(request, server), keepOpen })
    },
  }
}

async function stopServer(server: Server): Promise<void> {
  await Promise.race([server.stop(false), Bun.sleep(GRACE_MS)])
  await server.stop(true)
}

/** Put together by hand: the runtime's URL objects take longer to be there than the server. */
function originOf(host: string, port: number, isSecure: boolean): string {
  return `${isSecure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function readTlsFile(path: string, isSecret: boolean): string {
  try {
    const { mode } = statSync(path)
    if (isSecret && (mode & 0o077) !== 0) {
      throw new UserError(
        `Cannot use the private key "${path}": others than its owner may read or write it. Run: chmod 0600 ${path}`,
      )
    }
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`Cannot read "${path}" for TLS: ${describeError(error)}`, { cause: error })
  }
}

function cannotListen(listen: string, port: number, error: unknown): string {
  const code = errnoOf(error)
  if (code === 'EADDRINUSE') {
    return (
      `Cannot listen on "${listen}": port ${port} is in use. See who holds it with: ` +
      `ss -ltnp 'sport = :${port}'; or set another one in \`api.listen\``
    )
  }
  if (code === 'EACCES' && port < 1024) {
    return `Cannot listen on "${listen}": only root may use ports below 1024. Set another one in \`api.listen\``
  }
  return `Cannot listen on "${listen}": ${describeError(error)}`
}

/** Removes a socket that was left behind. Throws UserError when it is in use, or is no socket. */
async function removeStale(path: string): Promise<void> {
  if (!existsSync(path)) return
  if (!lstatSync(path).isSocket()) {
    throw new UserError(`Cannot listen on "${path}": there is a file of that name that is no socket`)
  }
  if (await isAnswered(path)) {
    throw new UserError(
      `Cannot listen on "${path}": another process answers there, perhaps another reeve. ` +
        `See which with: ss -lxp src ${path}`,
    )
  }
  unlinkSync(path)
}

async function isAnswered(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } })
    socket.end()
    return true
  } catch (error) {
    // Only a refusal says that nobody is there.
    return errnoOf(error) !== 'ECONNREFUSED'
  }
}

function share(path: string, group: string, log: Log): void {
  const gid = new Accounts('').groupId(group)
  if (gid === undefined) {
    log.warn('socket not shared: no such group', { socket: path, group })
    return
  }
  try {
    chownSync(path, -1, gid)
    chmodSync(path, 0o660)
  } catch (error) {
    // With the group of the process instead, people would be let in whom nobody has named.
    chmodSync(path, 0o600)
    log.warn('socket not shared', { socket: path, group, reason: describeError(error) })
  }
}
