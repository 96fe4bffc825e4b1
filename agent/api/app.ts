import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { TrieRouter } from 'hono/router/trie-router'
import { secureHeaders } from 'hono/secure-headers'
import { describeError } from '../lib/errors.ts'
import { clientKey, isAllowedHost } from './address.ts'
import { Authenticator, holdBackGuess } from './auth.ts'
import { isAllowedClient } from './clients.ts'
import type { ApiContext, ApiDeps, ApiEnv, Transport } from './deps.ts'
import { MAX_BODY_BYTES, SlidingWindow } from './limit.ts'
import { mountPage } from './page/routes.ts'
import { ProblemError } from './problem.ts'
import { routes } from './routes.ts'
import { leaveTrail } from './trail.ts'

const REQUESTS_PER_MINUTE = 100

/** The whole API and page, to be served on one listener. */
export function createApp(deps: ApiDeps, transport: Transport): Hono<ApiEnv> {
  // The default router compiles all routes at the first request, which the daemon's start would wait for.
  const app = new Hono<ApiEnv>({ router: new TrieRouter() })
  const authenticator = new Authenticator(deps, transport)
  app.onError(async (error, c) => {
    const problem = toProblem(error, c, deps)
    await holdBackGuess(problem, deps)
    return problem.toResponse()
  })
  app.notFound(() => new ProblemError('not-found', 'There is nothing here; see /openapi.json.').toResponse())

  app.use(headers(deps.config().tls !== undefined), noStore)
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (_c, allowed) => notAllowed(allowed) }))
  if (transport === 'tcp') {
    app.use(hostGuard(deps))
    app.use(requestLimit(deps), clientGuard(deps))
  }
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }))

  for (const route of routes) {
    app.on(route.method.toUpperCase(), route.path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) =>
      route.run(c, deps, authenticator.authorize(c, route.access, route.name)),
    )
  }
  mountPage(app, deps, authenticator)
  return app
}

/** For every answer; a handler that set a header itself keeps it. */
function headers(tls: boolean) {
  return secureHeaders({
    overwrite: false,
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    strictTransportSecurity: tls && 'max-age=31536000',
    xFrameOptions: 'DENY',
    referrerPolicy: 'no-referrer',
  })
}

async function noStore(c: ApiContext, next: () => Promise<void>) {
  await next()
  if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store')
}

function clientGuard(deps: ApiDeps) {
  return async (c: ApiContext, next: () => Promise<void>) => {
    if (await isAllowedClient(c.env.remote, deps.config().clients)) return next()
    leaveTrail(deps, c, { actor: 'anonymous', action: 'connect', object: c.req.path, result: 'denied' })
    throw new ProblemError(
      'unknown-client',
      'The API does not answer to this address; add its network to `api.clients` in the configuration.',
    )
  }
}

function hostGuard(deps: ApiDeps) {
  return async (c: ApiContext, next: () => Promise<void>) => {
    if (isAllowedHost(c.req.header('host'), deps.config())) return next()
    throw new ProblemError(
      'unknown-host',
      'The API does not answer to this host name; add it to `api.hosts` in the configuration.',
    )
  }
}

function requestLimit(deps: ApiDeps) {
  const requests = new SlidingWindow(REQUESTS_PER_MINUTE, 60_000)
  return async (c: ApiContext, next: () => Promise<void>) => {
    const waitMs = requests.take(clientKey(c.env.remote), deps.now())
    if (waitMs === 0) return next()
    throw new ProblemError(
      'rate-limited',
      `More than ${REQUESTS_PER_MINUTE} requests a minute came from this address. The unix socket has no limit.`,
      { headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) } },
    )
  }
}

function notAllowed(allowed: string[]): Response {
  const list = allowed.join(', ')
  const error = new ProblemError('method-not-allowed', `Allowed here: ${list}.`, { headers: { Allow: list } })
  return error.toResponse()
}

function tooLarge(): never {
  throw new ProblemError('body-too-large', `A body has at most ${MAX_BODY_BYTES} bytes here.`)
}

function toProblem(error: Error, c: ApiContext, deps: ApiDeps): ProblemError {
  if (error instanceof ProblemError) return error
  if (error instanceof HTTPException && error.status === 403) {
    return new ProblemError('cross-site', 'A page of another site may not do this.')
  }
  deps.log.warn('request not answered', { method: c.req.method, reason: describeError(error) })
  return new ProblemError('internal', 'reeve could not answer this; its log says why.')
}
