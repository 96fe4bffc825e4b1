import {
  type AnyColumn,
  and,
  asc,
  count,
  desc,
  eq,
  gt,
  gte,
  inArray,
  lt,
  lte,
  min,
  notExists,
  notInArray,
  sql,
} from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { sha256 } from '../lib/digest.ts'
import type { Store } from './open.ts'
import { type DeliveryState, outbox } from './schema.ts'

export type OutboxMessage = typeof outbox.$inferSelect

export interface NewMessage {
  /** By `alertId()`. */
  messageId: string
  channel: string
  type: string
  /** JSON. */
  payload: string
}

/**
 * For so long a message belongs to the process that claimed it, in milliseconds. It is longer than any
 * attempt, and after a crash the message is due again when it is over.
 */
export const LEASE_MS = 60_000

const STREAM_LENGTH = 'msg_'.length + 24
const COUNT_AT_ONCE = 500

/**
 * A message's id: the same for the same change, so that writing it twice makes one message. Messages of one
 * stream (all changes of one finding) share its first part and are delivered in the order of writing.
 */
export function alertId(stream: string, change: string): string {
  return `msg_${sha256(stream).slice(0, 24)}_${sha256(`${stream}\0${change}`).slice(0, 24)}`
}

/**
 * Adds messages, due at once. To be called in the transaction that writes their cause. What already waits in
 * the same stream is tried again soon, for the new message has to wait behind it.
 */
export function enqueue(store: Store, messages: NewMessage[], now: number): void {
  for (const message of messages) {
    const added = store.orm
      .insert(outbox)
      .values({ ...message, createdAt: now, nextAttemptAt: now })
      .onConflictDoNothing()
      .returning({ id: outbox.id })
      .get()
    if (!added) continue
    const stream = message.messageId.slice(0, STREAM_LENGTH)
    store.orm
      .update(outbox)
      .set({ nextAttemptAt: soon(now) })
      .where(
        and(
          eq(outbox.channel, message.channel),
          isPending(outbox.state),
          gt(outbox.messageId, `${stream}_`),
          lt(outbox.messageId, `${stream}\``),
          lt(outbox.id, added.id),
        ),
      )
      .run()
  }
}

/**
 * Takes the oldest message of a channel that is due, for LEASE_MS, and counts the attempt. A message waits
 * until those of the same stream before it are through. Undefined when there is none.
 */
export function claimNext(store: Store, channel: string, now: number): OutboxMessage | undefined {
  const next = store.orm
    .select({ id: outbox.id })
    .from(outbox)
    .where(and(deliverable(store, channel), lte(outbox.nextAttemptAt, now)))
    .orderBy(asc(outbox.id))
    .limit(1)
  return store.orm
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1`, nextAttemptAt: now + LEASE_MS })
    .where(inArray(outbox.id, next))
    .returning()
    .get()
}

/** When the next message of a channel is due, in UTC milliseconds; undefined when none waits. */
export function nextDueAt(store: Store, channel: string): number | undefined {
  const row = store.orm
    .select({ at: min(outbox.nextAttemptAt) })
    .from(outbox)
    .where(deliverable(store, channel))
    .get()
  return row?.at ?? undefined
}

/** Pending, and nothing of the same stream is pending before it ('`' is the character after '_'). */
function deliverable(store: Store, channel: string) {
  const earlier = alias(outbox, 'earlier')
  const stream = sql`substr(${outbox.messageId}, 1, ${STREAM_LENGTH})`
  return and(
    eq(outbox.channel, channel),
    eq(outbox.state, 'pending'),
    notExists(
      store.orm
        .select({ one: sql`1` })
        .from(earlier)
        .where(
          and(
            eq(earlier.channel, channel),
            isPending(earlier.state),
            gte(earlier.messageId, stream),
            lt(earlier.messageId, sql`${stream} || '\`'`),
            lt(earlier.id, outbox.id),
          ),
        ),
    ),
  )
}

/** It is through. As the channel works, what failed on it before is tried again soon. */
export function markDelivered(store: Store, id: number, now: number): void {
  store.transaction(() => {
    const row = store.orm
      .update(outbox)
      .set({ state: 'delivered', deliveredAt: now, lastError: null })
      .where(eq(outbox.id, id))
      .returning({ channel: outbox.channel })
      .get()
    if (!row) return
    store.orm
      .update(outbox)
      .set({ nextAttemptAt: soon(now) })
      .where(and(eq(outbox.channel, row.channel), eq(outbox.state, 'pending'), gt(outbox.attempts, 0)))
      .run()
  })
}

export function markRetry(store: Store, id: number, nextAttemptAt: number, error: string): void {
  store.orm.update(outbox).set({ nextAttemptAt, lastError: error }).where(eq(outbox.id, id)).run()
}

/** Given up; it stays to be looked at and to be replayed. */
export function markDead(store: Store, id: number, error: string): void {
  store.orm.update(outbox).set({ state: 'dead', lastError: error }).where(eq(outbox.id, id)).run()
}

/** Gives up what waits for a channel that is not in the configuration. Returns how many. */
export function buryOrphans(store: Store, channels: string[]): number {
  const orphaned = and(eq(outbox.state, 'pending'), notInArray(outbox.channel, channels))
  // Looks first: an update would take the write lock of the whole database for nothing, every time.
  if (!store.orm.select({ id: outbox.id }).from(outbox).where(orphaned).limit(1).get()) return 0
  return store.orm
    .update(outbox)
    .set({
      state: 'dead',
      lastError: sql`'the channel "' || ${outbox.channel} || '" is not in the configuration'`,
    })
    .where(orphaned)
    .returning({ id: outbox.id })
    .all().length
}

export interface OutboxFilter {
  state?: DeliveryState | undefined
  channel?: string | undefined
  /** Only messages with a smaller id: the next page. */
  before?: number | undefined
  /** Default 100. */
  limit?: number | undefined
}

/** Messages, newest first. */
export function listOutbox(store: Store, filter: OutboxFilter = {}): OutboxMessage[] {
  return store.orm
    .select()
    .from(outbox)
    .where(
      and(
        filter.state && eq(outbox.state, filter.state),
        filter.channel === undefined ? undefined : eq(outbox.channel, filter.channel),
        filter.before === undefined ? undefined : lt(outbox.id, filter.before),
      ),
    )
    .orderBy(desc(outbox.id))
    .limit(filter.limit ?? 100)
    .all()
}

/**
 * Sends messages again, with the same id: those named, whatever their state, or every dead one. Their
 * attempts begin anew. Returns how many.
 */
export function replay(store: Store, which: number[] | 'dead', now: number): number {
  const restart = (where: ReturnType<typeof eq>) =>
    store.orm
      .update(outbox)
      .set({
        state: 'pending',
        attempts: 0,
        deliveredAt: null,
        nextAttemptAt: sql`case ${outbox.state} when 'pending' then ${soon(now)} else ${now} end`,
      })
      .where(where)
      .returning({ id: outbox.id })
      .all().length
  if (which === 'dead') return restart(eq(outbox.state, 'dead'))
  return store.transaction(() => {
    let total = 0
    for (let start = 0; start < which.length; start += COUNT_AT_ONCE) {
      total += restart(inArray(outbox.id, which.slice(start, start + COUNT_AT_ONCE)))
    }
    return total
  })
}

export interface ChannelCounts extends Record<DeliveryState, number> {
  channel: string
  /** When the oldest pending message was written, in UTC milliseconds; null when none is pending. */
  pendingSince: number | null
}

/** How many messages of each channel are in which state, by name. Delivered ones count until they are pruned. */
export function outboxCounts(store: Store): ChannelCounts[] {
  const rows = store.orm
    .select({
      channel: outbox.channel,
      state: outbox.state,
      total: count(),
      oldest: sql<number>`min(${outbox.createdAt})`,
    })
    .from(outbox)
    .groupBy(outbox.channel, outbox.state)
    .orderBy(asc(outbox.channel))
    .all()
  const result = new Map<string, ChannelCounts>()
  for (const { channel, state, total, oldest } of rows) {
    const counts = result.get(channel) ?? { channel, pending: 0, delivered: 0, dead: 0, pendingSince: null }
    counts[state] += total
    if (state === 'pending') counts.pendingSince = oldest
    result.set(channel, counts)
  }
  return [...result.values()]
}

/** With the "+" the search goes by the message id: by the state it would read all that is pending, for each row. */
function isPending(state: AnyColumn) {
  return sql`+${state} = 'pending'`
}

/** Earlier, but never while another process may still be sending it. */
function soon(now: number) {
  return sql`min(${outbox.nextAttemptAt}, ${now + LEASE_MS})`
}
