import { describeError } from '../lib/errors.ts'
import { SCOPES, type Scope } from '../store/schema.ts'
import { findToken, noteTokenUse, type Token } from '../store/tokens.ts'
import { clientKey, isLoopbackAddress } from './address.ts'
import type { ApiContext, ApiDeps, Caller, Transport } from './deps.ts'
import { SlidingWindow } from './limit.ts'
import { ProblemError } from './problem.ts'
import { leaveTrail } from './trail.ts'

/** Who may: anyone; anyone on this machine, others with a token of scope `read`; or a caller of a scope. */
export type Access = 'open' | 'local' | Scope

const FAILURES_PER_MINUTE = 5
const GUESS_DELAY_MS = 100
const LONGEST_AUTHORIZATION = 512
/** A request with one of these came through a proxy: its client may be anywhere. */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']

/** Recognises callers by bearer token (RFC 6750), or trusts the unix socket. */
export class Authenticator {
  private readonly failures = new SlidingWindow(FAILURES_PER_MINUTE, 60_000)

  constructor(
    private readonly deps: ApiDeps,
    private readonly transport: Transport,
  ) {}

  /**
   * The caller of a route; undefined where none is needed. Throws ProblemError for one who may not.
   * `route` is how the audit log calls it.
   */
  authorize(c: ApiContext, access: Access, route: string): Caller | undefined {
    if (access === 'open') return undefined
    if (access === 'local' && this.isLocal(c)) return undefined
    const caller =
      this.trusted() ?? (access === 'feed' ? this.byUrl(c, route) : undefined) ?? this.byHeader(c, route)
    this.requireScope(c, caller, access === 'local' ? 'read' : access, route)
    return caller
  }

  /** The caller that the unix socket stands for. */
  trusted(): Caller | undefined {
    return this.transport === 'socket' ? { actor: 'socket', scope: 'admin' } : undefined
  }

  isLocal(c: ApiContext): boolean {
    if (this.transport === 'socket') return true
    const forwarded = FORWARDING_HEADERS.some((name) => c.req.header(name) !== undefined)
    return !forwarded && isLoopbackAddress(c.env.remote)
  }

  /** Throws ProblemError, and records it, when the caller's scope does not reach. */
  requireScope(c: ApiContext, caller: Caller, needed: Scope, route: string): void {
    if (hasScope(caller, needed)) return
    const detail = { needed, has: caller.scope }
    leaveTrail(this.deps, c, {
      actor: caller.actor,
      action: 'authorize',
      object: route,
      result: 'denied',
      detail,
    })
    throw new ProblemError(
      'forbidden',
      `This needs a token of scope "${needed}"; yours has "${caller.scope}".`,
      {
        headers: {
          'WWW-Authenticate': `Bearer realm="reeve", error="insufficient_scope", scope="${needed}"`,
        },
      },
    )
  }

  /**
   * The token for a secret that was presented, in a header or in the sign-in form. A wrong one is counted and
   * recorded; after too many of them an address is not listened to for a while, whatever it presents.
   */
  verify(c: ApiContext, presented: string, route: string): Token {
    const now = this.deps.now()
    const key = clientKey(c.env.remote)
    const waitMs = this.failures.waitMs(key, now)
    if (waitMs > 0) throw tooManyFailures(waitMs)
    const token = findToken(this.deps.store, presented, now)
    if (!token) {
      this.failures.take(key, now)
      leaveTrail(this.deps, c, {
        actor: 'anonymous',
        action: 'authenticate',
        object: route,
        result: 'denied',
      })
      throw unauthenticated(
        'The token is unknown, expired or revoked.',
        'Bearer realm="reeve", error="invalid_token"',
        true,
      )
    }
    try {
      noteTokenUse(this.deps.store, token, now)
    } catch (error) {
      // A full disk must not keep its owner from looking at it.
      this.deps.log.warn('use of a token could not be stored', { reason: describeError(error) })
    }
    return token
  }

  /** URLs are kept and shown by many programs, so only a token that is good for nothing else may stand in one. */
  private byUrl(c: ApiContext, route: string): Caller | undefined {
    const presented = c.req.query('token')
    if (presented === undefined) return undefined
    const token = this.verify(c, presented.length > LONGEST_AUTHORIZATION ? '' : presented, route)
    if (token.scope === 'feed') return { actor: token.name, scope: token.scope }
    throw new ProblemError(
      'forbidden',
      'Only a token of scope "feed" may stand in a URL; and now rotate this one.',
    )
  }

  private byHeader(c: ApiContext, route: string): Caller {
    const header = c.req.header('authorization')
    if (header === undefined) {
      throw unauthenticated('This needs a token: "Authorization: Bearer reeve_…".', 'Bearer realm="reeve"')
    }
    const presented = header.length > LONGEST_AUTHORIZATION ? '' : /^Bearer +(\S+) *$/i.exec(header)?.[1]
    const token = this.verify(c, presented ?? '', route)
    return { actor: token.name, scope: token.scope }
  }
}

/** Who guesses tokens waits for each answer. */
export async function holdBackGuess({ extras }: ProblemError, deps: ApiDeps): Promise<void> {
  if (extras.isGuess) await deps.sleep(GUESS_DELAY_MS)
}

export function hasScope(caller: Caller, needed: Scope): boolean {
  return SCOPES.indexOf(caller.scope) >= SCOPES.indexOf(needed)
}

function unauthenticated(detail: string, challenge: string, isGuess = false): ProblemError {
  return new ProblemError(
    'unauthenticated',
    `${detail} Make one on the host with: reeve token new NAME --scope read`,
    { headers: { 'WWW-Authenticate': challenge }, isGuess },
  )
}

function tooManyFailures(waitMs: number): ProblemError {
  return new ProblemError(
    'rate-limited',
    `More than ${FAILURES_PER_MINUTE} wrong tokens a minute came from this address. Wait, or use the unix socket.`,
    { headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) } },
  )
}
