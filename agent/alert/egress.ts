import type { IncomingMessage } from 'node:http'
import { describeError, UserError } from '../lib/errors.ts'
import { classifyAddress } from './address.ts'
import type { Answer } from './channel.ts'
import type { Clock } from './clock.ts'
import { type Destination, parseDestination, refuseAddress } from './destination.ts'

/** From resolving the name to the end of the answer (Standard Webhooks 1.0.0 recommends 15 to 30 s). */
export const ANSWER_TIMEOUT_MS = 15_000
/** So much of an answer is read, to say why it was no success. */
export const MAX_ANSWER_BYTES = 4096

export interface EgressOptions {
  /** `alerts.allowedHosts`: host names and `*.example.org`. Empty: the hosts of the channels. */
  allowedHosts: string[]
  clock: Clock
  /** The addresses of a name. Default: as the system resolves it, /etc/hosts included. */
  resolveHost?: ((host: string) => Promise<string[]>) | undefined
  /** PEM of the authorities that vouch for the receivers. Default: the public ones. */
  authorities?: string | undefined
}

export interface PostRequest {
  url: string
  headers: Record<string, string>
  body: string
}

/**
 * The only way out for alerts: posts to a host that the guard lets through, at the very addresses that it
 * has judged, past any proxy. No redirect is followed. Throws UserError where the guard refuses and Error
 * where no answer came; neither shows more of the URL than its origin, as the path may be a secret.
 */
export async function post(
  request: PostRequest,
  options: EgressOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const destination = parseDestination(request.url, options.allowedHosts)
  const deadline = new AbortController()
  const cancel = options.clock.after(ANSWER_TIMEOUT_MS, () =>
    deadline.abort(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} seconds`)),
  )
  const either = AbortSignal.any([signal, deadline.signal])
  try {
    const addresses = await untilAborted(judgedAddresses(destination, options.resolveHost), either)
    const answer = await exchange(destination, addresses, request, options, either)
    return { ...answer, body: hidePath(answer.body, destination.path) }
  } catch (error) {
    if (error instanceof UserError) throw error
    const reason = hidePath(describeError(either.aborted ? either.reason : error), destination.path)
    throw new Error(`Cannot send to "${destination.origin}": ${reason}`)
  } finally {
    cancel()
  }
}

async function judgedAddresses(
  destination: Destination,
  resolveHost: (host: string) => Promise<string[]> = resolveBySystem,
): Promise<string[]> {
  const { host } = destination
  const isAddress = destination.explicit && host !== 'localhost'
  const addresses = isAddress ? [host] : await resolveHost(host)
  if (addresses.length === 0) throw new Error(`the name "${host}" has no address`)
  for (const address of addresses) {
    const refusal = refuseAddress(destination, address, await classifyAddress(address))
    // One bad address is enough: which one would be used is up to the network.
    if (refusal) throw new UserError(`Cannot send to "${destination.origin}": ${refusal}`)
  }
  return addresses
}

async function resolveBySystem(host: string): Promise<string[]> {
  const { lookup } = await import('node:dns/promises')
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

async function exchange(
  destination: Destination,
  addresses: string[],
  { headers, body }: PostRequest,
  { authorities }: EgressOptions,
  signal: AbortSignal,
): Promise<Answer> {
  // node:https instead of fetch: it connects to the addresses that `lookup` gives (fetch would resolve the
  // name anew, and take a proxy of the environment), and still checks the certificate against the name.
  const { request: open } = destination.secure ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const outgoing = open(
      {
        host: destination.host,
        port: destination.port,
        path: destination.path,
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        agent: false,
        signal,
        lookup: (_name, _options, callback) =>
          callback(
            null,
            addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
          ),
        ...(authorities !== undefined && { ca: authorities }),
      },
      (incoming) => {
        outgoing.off('error', reject)
        resolve(readAnswer(incoming, signal).finally(() => outgoing.destroy()))
      },
    )
    outgoing.on('error', reject)
    // For what still comes when the answer is there: it must not end the process.
    outgoing.on('error', () => {})
    outgoing.end(body)
  })
}

async function readAnswer(incoming: IncomingMessage, signal: AbortSignal): Promise<Answer> {
  const status = incoming.statusCode ?? 0
  const retryAfter = incoming.headers['retry-after']
  incoming.on('error', () => {})
  if (status >= 200 && status < 300) return { status, retryAfter, body: '' }
  const chunks: Buffer[] = []
  const read = async () => {
    let bytes = 0
    for await (const chunk of incoming) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_ANSWER_BYTES) break
    }
  }
  // The status is what counts: a body that stalls or breaks off is shown as far as it came.
  await untilAborted(read(), signal).catch(() => {})
  return { status, retryAfter, body: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString() }
}

/** Blanks out the path of the URL, and what of it may be a secret by itself, where a text repeats it. */
function hidePath(text: string, path: string): string {
  const parts = path.split(/[/?&=]/).filter((part) => part.length >= 8)
  return [path, ...parts]
    .filter((part) => part.length > 1)
    .reduce((result, part) => result.replaceAll(part, '[redacted]'), text)
}

/** For what does not end by itself: name resolution, and the body of an answer. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
