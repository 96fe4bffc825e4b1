import { sha256 } from '../../lib/digest.ts'
import type { Store } from '../../store/open.ts'
import { findById, type Token } from '../../store/tokens.ts'
import type { Caller } from '../deps.ts'

export const SESSION_MS = 12 * 3_600_000
/** The oldest goes when there would be more. */
const MAX_SESSIONS = 200

/**
 * Who is signed in to the page. In memory only: a restart signs everybody out. A session ends with its token.
 */
export class Sessions {
  private readonly open = new Map<string, { tokenId: number; until: number }>()

  constructor(private readonly store: Store) {}

  /** Returns the new session's id, for the cookie. */
  begin(token: Token, now: number): string {
    const id = crypto.getRandomValues(new Uint8Array(32)).toHex()
    this.open.set(sha256(id), { tokenId: token.id, until: now + SESSION_MS })
    for (const oldest of this.open.keys()) {
      if (this.open.size <= MAX_SESSIONS) break
      this.open.delete(oldest)
    }
    return id
  }

  /** Who an id stands for; undefined when it is unknown, too old, or its token is no longer good. */
  caller(id: string, now: number): Caller | undefined {
    const session = this.open.get(sha256(id))
    if (!session) return undefined
    const token = session.until > now ? findById(this.store, session.tokenId, now) : undefined
    if (token?.state === 'active') return { actor: token.name, scope: token.scope }
    this.end(id)
    return undefined
  }

  end(id: string): void {
    this.open.delete(sha256(id))
  }
}
