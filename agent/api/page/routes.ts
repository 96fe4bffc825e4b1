import type { Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { csrf } from 'hono/csrf'
import { type Authenticator, holdBackGuess } from '../auth.ts'
import type { ApiContext, ApiDeps, ApiEnv, Caller } from '../deps.ts'
import { startRun } from '../jobs.ts'
import { ProblemError } from '../problem.ts'
import { leaveTrail } from '../trail.ts'
import { SESSION_MS, Sessions } from './sessions.ts'

const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/**
 * The status page and its forms. Only these routes know the session cookie, so no other site can make a
 * browser act on the API; a form must come from this origin.
 */
export function mountPage(app: Hono<ApiEnv>, deps: ApiDeps, authenticator: Authenticator): void {
  const sessions = new Sessions(deps.store)
  const tls = deps.config().tls !== undefined
  // The prefix makes browsers refuse such a cookie from anybody else, but needs https.
  const name = tls ? '__Host-reeve_session' : 'reeve_session'
  const cookie = { path: '/', httpOnly: true, sameSite: 'Strict', secure: tls } as const

  function sessionId(c: ApiContext): string | undefined {
    return getCookie(c, name)
  }

  function signedIn(c: ApiContext): Caller | undefined {
    const id = sessionId(c)
    return authenticator.trusted() ?? (id === undefined ? undefined : sessions.caller(id, deps.now()))
  }

  /** The page for whoever asks, with what went wrong with the last form. */
  async function show(c: ApiContext, problem?: ProblemError): Promise<Response> {
    // Loaded when asked for: the daemon starts without it.
    const { renderPage } = await import('./render.tsx')
    const html = renderPage(deps, {
      caller: signedIn(c),
      isLocal: authenticator.isLocal(c),
      canSignOut: authenticator.trusted() === undefined,
      problem: problem?.detail,
      reloadSeconds: c.req.query('reload') === '60' ? 60 : undefined,
    })
    const headers = { ...problem?.extras.headers, 'Content-Security-Policy': PAGE_POLICY }
    return new Response(html, {
      status: problem?.status ?? 200,
      headers: { 'Content-Type': 'text/html; charset=utf-8', ...headers },
    })
  }

  /** Does what a form asks for, and shows the page with the reason when that is not to be. */
  async function act(c: ApiContext, work: () => Promise<void>): Promise<Response> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      await holdBackGuess(error, deps)
      return show(c, error)
    }
    return c.redirect('/', 303)
  }

  app.get('/', (c) => show(c))
  app.get('/page/style.css', async () => (await import('./assets.ts')).styleSheet())
  app.get('/page/icon.svg', async () => (await import('./assets.ts')).iconImage())

  const sameOrigin = csrf()
  app.post('/sign-in', sameOrigin, (c) =>
    act(c, async () => {
      const token = authenticator.verify(c, await field(c, 'token'), 'sign-in')
      authenticator.requireScope(c, { actor: token.name, scope: token.scope }, 'read', 'sign-in')
      const id = sessions.begin(token, deps.now())
      setCookie(c, name, id, { ...cookie, maxAge: SESSION_MS / 1000 })
      leaveTrail(deps, c, { actor: token.name, action: 'sign-in', object: 'page', result: 'ok' })
    }),
  )
  app.post('/sign-out', sameOrigin, (c) =>
    act(c, async () => {
      const id = sessionId(c)
      const caller = signedIn(c)
      if (id !== undefined) sessions.end(id)
      deleteCookie(c, name, cookie)
      if (caller)
        leaveTrail(deps, c, { actor: caller.actor, action: 'sign-out', object: 'page', result: 'ok' })
    }),
  )
  app.post('/run', sameOrigin, (c) =>
    act(c, async () => {
      const caller = signedIn(c)
      if (!caller) throw new ProblemError('unauthenticated', 'Sign in first: the session has ended.')
      authenticator.requireScope(c, caller, 'operate', 'runJob')
      await startRun(deps, c, caller, await field(c, 'job'))
    }),
  )
}

/** One field of a form, without the space around it that pasting brings along. */
async function field(c: ApiContext, name: string): Promise<string> {
  const value = (await c.req.parseBody())[name]
  return typeof value === 'string' ? value.trim() : ''
}
