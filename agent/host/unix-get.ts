import type { HttpQuestion } from '../contract/host.ts'
import { errnoOf, NotPermittedError } from '../lib/errors.ts'
import { globMatcher } from '../lib/glob.ts'
import type { Grants } from './grants.ts'
import { requestHttp } from './http.ts'

const DEFAULT_MAX_BYTES = 8 * 1024 * 1024
const PERMISSION = 'unix-get:'

/**
 * Asks a service on a unix socket. With the permission "unix-get:" this is the only way there, and all that it sends is
 * GET without a body: who may ask a service that takes commands over the same socket can look and not act.
 */
export async function askOverSocket(
  grants: Grants,
  { socket, path, timeoutMs, maxBytes = DEFAULT_MAX_BYTES, signal }: HttpQuestion,
  root: string,
): Promise<{ status: number; body: string }> {
  const allowed = grants.net.flatMap((entry) =>
    entry.startsWith(PERMISSION) ? entry.slice(PERMISSION.length) : [],
  )
  if (!grants.net.includes('*') && !globMatcher(allowed)(socket)) {
    throw new NotPermittedError(`Cannot ask "${socket}": the job does not declare it (permissions.net)`)
  }
  // A space or a line break would end the request line, and begin a request of somebody else's words.
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new Error(`Cannot ask "${socket}": the path is not one of HTTP`)
  const socketPath = root + socket
  const question = { url: `http://localhost${path}`, socketPath, method: 'GET', timeoutMs, signal }
  const { status, body, truncated } = await requestHttp(
    { ...grants, net: [`unix:${socketPath}`] },
    { ...question, maxBodyBytes: maxBytes },
  ).catch((error) => {
    if (errnoOf(error) !== 'EACCES') throw error
    throw Object.assign(new Error(`Cannot ask "${socket}": permission denied`), { code: 'EACCES' })
  })
  if (truncated) throw new Error(`Cannot ask "${socket}": its answer has more than ${maxBytes} bytes`)
  return { status, body: Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8') }
}
