import type { Config } from '../config/schema.ts'
import { isAllowedHost } from './address.ts'
import { isAllowedClient } from './clients.ts'
import type { ApiDeps, RequestInfo } from './deps.ts'

/** What a listener serves. */
export interface App {
  fetch(request: Request, info: RequestInfo): Response | Promise<Response>
}

export interface FrontDeps {
  config(): Config['api']
  readiness: ApiDeps['readiness']
}

/**
 * Says by itself that the daemon lives and is ready, as the app would, and hands all else to the app, which the
 * first such request loads: neither a start nor a monitor that asks for nothing more has to pay for it.
 */
export function createFront(deps: FrontDeps, load: () => Promise<App>): App {
  let app: Promise<App> | undefined
  return {
    async fetch(request, info) {
      const api = deps.config()
      const isWelcome =
        isAllowedHost(request.headers.get('host') ?? undefined, api) &&
        (api.clients.length === 0 || (await isAllowedClient(info.remote, api.clients)))
      const good = isWelcome ? goodAnswer(request, deps) : undefined
      if (good) return good
      app ??= load()
      return (await app).fetch(request, info)
    },
  }
}

/** The answer when all is well; undefined where there is more to say. */
function goodAnswer({ method, url }: Request, { readiness }: FrontDeps): Response | undefined {
  if (method !== 'GET') return undefined
  const path = /^\w+:\/\/[^/]*([^?]*)/.exec(url)?.[1]
  if (path === '/healthz') return answer({ status: 'pass' })
  return path === '/readyz' && readiness().ready ? answer({ status: 'pass', ready: true }) : undefined
}

function answer(body: object): Response {
  return Response.json(body, {
    headers: { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' },
  })
}
