import { desc, eq } from 'drizzle-orm'
import type { OwnToken } from '../contract/plugin.ts'
import { sha256 } from '../lib/digest.ts'
import { UserError } from '../lib/errors.ts'
import type { Store } from './open.ts'
import { type Scope, tokens } from './schema.ts'

/** Recognisable, so that a scanner for secrets finds a token that lies where it should not. */
const TOKEN_PATTERN = /^reeve_[0-9a-f]{64}$/

/** Names of actors in the audit log that are no token; a token must not pass for one of them. */
const RESERVED_NAMES = ['socket', 'scheduler', 'anonymous', 'daemon']
const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/
const LAST_USED_PRECISION_MS = 60_000

export type TokenState = 'active' | 'expired' | 'revoked'

/** What is known of a token. The token itself is nowhere but with its owner. Times are UTC milliseconds. */
export interface Token {
  id: number
  name: string
  scope: Scope
  state: TokenState
  createdAt: number
  expiresAt: number | null
  lastUsedAt: number | null
  revokedAt: number | null
}

export interface NewToken {
  name: string
  scope: Scope
  /** Null: it does not expire. */
  expiresAt: number | null
}

/**
 * Makes a token of 256 random bits. `secret` is shown once: only its SHA-256 is stored.
 * Throws UserError for a bad name, or one that a usable token has.
 */
export function createToken(store: Store, wanted: NewToken, now: number): { secret: string; token: Token } {
  assertName(wanted.name)
  if (wanted.expiresAt !== null && wanted.expiresAt <= now) {
    throw new UserError(`Cannot create the token "${wanted.name}": it would have expired already`)
  }
  return store.transaction(() => {
    const previous = findByName(store, wanted.name, now)
    if (previous?.state === 'active') {
      throw new UserError(
        `Cannot create the token "${wanted.name}": there is one already. Take another name, ` +
          `or run: reeve token rotate ${wanted.name}`,
      )
    }
    if (previous) freeName(store, previous)
    return insert(store, wanted, now)
  })
}

/**
 * Makes a new token of the same name and scope. The old one stays good for `overlapMs` more, under the name
 * "NAME~ID", so that its clients can be changed over one by one.
 * Throws UserError when there is no usable token of that name.
 */
export function rotateToken(
  store: Store,
  name: string,
  options: { overlapMs: number; expiresAt: number | null },
  now: number,
): { secret: string; token: Token; previous: Token } {
  return store.transaction(() => {
    const old = findByName(store, name, now)
    if (old?.state !== 'active') {
      throw new UserError(
        `Cannot rotate the token "${name}": ${old ? `it is ${old.state}` : 'there is none'}`,
      )
    }
    freeName(store, old)
    const until = now + options.overlapMs
    const expiresAt = old.expiresAt === null ? until : Math.min(old.expiresAt, until)
    store.orm.update(tokens).set({ expiresAt }).where(eq(tokens.id, old.id)).run()
    const made = insert(store, { name, scope: old.scope, expiresAt: options.expiresAt }, now)
    return { ...made, previous: findById(store, old.id, now) ?? old }
  })
}

/** Ends a token at once. Throws UserError when there is none of that name or it was revoked before. */
export function revokeToken(store: Store, name: string, now: number): Token {
  return store.transaction(() => {
    const token = findByName(store, name, now)
    if (!token) throw new UserError(`Cannot revoke the token "${name}": there is none`)
    if (token.state === 'revoked') throw new UserError(`Cannot revoke the token "${name}": it is revoked`)
    store.orm.update(tokens).set({ revokedAt: now }).where(eq(tokens.id, token.id)).run()
    return { ...token, revokedAt: now, state: 'revoked' }
  })
}

/** All tokens, newest first; revoked and expired ones too. */
export function listTokens(store: Store, now: number): Token[] {
  return store.orm
    .select()
    .from(tokens)
    .orderBy(desc(tokens.id))
    .all()
    .map((row) => toToken(row, now))
}

/** The usable tokens, as a plugin may see them. */
export function ownTokens(store: Store, now: number): OwnToken[] {
  return listTokens(store, now)
    .filter(({ state }) => state === 'active')
    .map(({ id, name, scope, createdAt, expiresAt, lastUsedAt }) => ({
      id,
      name,
      scope,
      createdAtMs: createdAt,
      expiresAtMs: expiresAt,
      lastUsedAtMs: lastUsedAt,
    }))
}

/** Whether anybody could use a token now. */
export function hasActiveToken(store: Store, now: number): boolean {
  return listTokens(store, now).some((token) => token.state === 'active')
}

/** The usable token that was presented; undefined for one that is unknown, expired or revoked. */
export function findToken(store: Store, presented: string, now: number): Token | undefined {
  if (!TOKEN_PATTERN.test(presented)) return undefined
  const digest = sha256(presented)
  const row = store.orm.select().from(tokens).where(eq(tokens.sha256, digest)).get()
  if (!row || !crypto.timingSafeEqual(Buffer.from(row.sha256), Buffer.from(digest))) return undefined
  const token = toToken(row, now)
  return token.state === 'active' ? token : undefined
}

/** Remembers that a token was used, exact to a minute: one write a minute, not one for each request. */
export function noteTokenUse(store: Store, token: Token, now: number): void {
  if (token.lastUsedAt !== null && now - token.lastUsedAt < LAST_USED_PRECISION_MS) return
  store.orm.update(tokens).set({ lastUsedAt: now }).where(eq(tokens.id, token.id)).run()
}

/** The token of an id, for sessions that outlive the request in which it was presented. */
export function findById(store: Store, id: number, now: number): Token | undefined {
  const row = store.orm.select().from(tokens).where(eq(tokens.id, id)).get()
  return row && toToken(row, now)
}

function insert(store: Store, wanted: NewToken, now: number): { secret: string; token: Token } {
  const secret = `reeve_${crypto.getRandomValues(new Uint8Array(32)).toHex()}`
  const row = store.orm
    .insert(tokens)
    .values({ ...wanted, sha256: sha256(secret), createdAt: now })
    .returning()
    .get()
  return { secret, token: toToken(row, now) }
}

/** Takes the name from a token, so that the next one can have it; the audit log names both apart. */
function freeName(store: Store, token: Token): void {
  store.orm
    .update(tokens)
    .set({ name: `${token.name}~${token.id}` })
    .where(eq(tokens.id, token.id))
    .run()
}

function findByName(store: Store, name: string, now: number): Token | undefined {
  const row = store.orm.select().from(tokens).where(eq(tokens.name, name)).get()
  return row && toToken(row, now)
}

function toToken(row: typeof tokens.$inferSelect, now: number): Token {
  const { sha256: _digest, ...known } = row
  return { ...known, state: stateOf(row, now) }
}

function stateOf(row: typeof tokens.$inferSelect, now: number): TokenState {
  if (row.revokedAt !== null) return 'revoked'
  return row.expiresAt !== null && row.expiresAt <= now ? 'expired' : 'active'
}

function assertName(name: string): void {
  if (!NAME_PATTERN.test(name)) {
    throw new UserError(
      `Cannot create the token "${name}": a name has lower-case letters, digits, ".", "_" and "-"`,
    )
  }
  if (RESERVED_NAMES.includes(name)) {
    throw new UserError(`Cannot create the token "${name}": the audit log uses this name itself`)
  }
}
