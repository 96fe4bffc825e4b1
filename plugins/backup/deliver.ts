import { type ApplyContext, describeError } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import { copyObject } from './destination/copy.ts'
import type { Destination } from './destination/destination.ts'
import { hashObject } from './read.ts'
import {
  type BackupCopy,
  type BackupRecord,
  copyAt,
  newCopy,
  type ProvenCopy,
  provenAt,
  type Records,
  type WrittenRecord,
} from './records.ts'
import { putSeal } from './seal/seal.ts'

type Context = Pick<ApplyContext<BackupConfig>, 'signal' | 'progress' | 'log'>

export interface Delivery {
  from: Destination
  to: Destination
  /** Bytes a second. */
  bandwidth: number | undefined
  record: WrittenRecord
  /**
   * Reads the copy back and compares it with the source. Without it every byte of the copy has to be as it is where
   * the backup was proven already.
   */
  proof: ((destination: Destination) => Promise<void>) | undefined
}

/** Copies a backup to another place and proves the copy; undefined when it could not be proven, which is recorded. */
export async function deliver(
  ctx: Context,
  records: Records,
  { from, to, bandwidth, record, proof }: Delivery,
): Promise<ProvenCopy | undefined> {
  const { name, stored } = record
  const before = copyAt(record, to.location)
  const there = before && (await to.stat(name))
  // It arrived, and only the proof was cut off; or it could not be proven, and is replaced.
  const hasArrived = there !== undefined && there.bytes === stored.bytes && before?.failure === null
  if (there && !hasArrived && !provenAt(record, to.location)) await to.remove(name)
  const copy = newCopy(to.location)
  record.copies = [...record.copies.filter(({ destination }) => destination !== to.location), copy]
  records.save()
  if (!hasArrived) {
    await copyObject(from, to, name, stored, {
      bandwidth,
      signal: ctx.signal,
      progress: (bytes) => ctx.progress(bytes, stored.bytes, `sending to ${to.name}`, { unit: 'bytes' }),
    })
  }
  const isProven = await proveCopy(ctx, records, to, record, copy, async () => {
    if (proof) return proof(to)
    const isSame = (await hashObject(to.read(name), ctx.signal)) === stored.sha256
    if (!isSame) throw new Error('what is stored is not what was sent')
  })
  return isProven ? provenAt(record, to.location) : undefined
}

/** Notes whether a copy, which is whole now, could be proven. */
export async function proveCopy(
  { signal }: Pick<Context, 'signal'>,
  records: Records,
  destination: Destination,
  record: BackupRecord,
  copy: BackupCopy,
  proof: () => Promise<void>,
): Promise<boolean> {
  copy.mtimeMs = (await destination.stat(record.name))?.mtimeMs ?? 0
  records.save()
  const startedAt = performance.now()
  try {
    await putSeal(destination, record)
    await proof()
  } catch (error) {
    signal.throwIfAborted()
    copy.failure = describeError(error)
    records.save()
    return false
  }
  copy.provenAt = new Date().toISOString()
  copy.proofMs = Math.round(performance.now() - startedAt)
  records.save()
  return true
}
