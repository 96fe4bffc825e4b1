import { byteSize, formatBytes, z } from '../../agent/contract/mod.ts'
import type { Space } from './space.ts'

/** Free room below which logs are rotated, compressed and removed earlier than otherwise. */
export type FreeLimit = { percent: number } | { bytes: number }

const WANTED = 'wanted a share such as "10%", or a size such as 2G'

/** "10%" of a file system, or a size. */
export const freeLimit = z
  .union([z.string(), z.number()], { error: WANTED })
  .transform((value, context): FreeLimit => {
    const share = typeof value === 'string' ? /^(\d{1,2}(?:\.\d+)?)\s*%$/.exec(value)?.[1] : undefined
    if (share !== undefined && Number(share) > 0) return { percent: Number(share) }
    const bytes = share === undefined ? byteSize.safeParse(value) : undefined
    if (bytes?.success && bytes.data > 0) return { bytes: bytes.data }
    context.addIssue({ code: 'custom', message: WANTED })
    return z.NEVER
  })

/** The limit of one file system, in bytes. */
export function limitBytes(limit: FreeLimit, { totalBytes }: Pick<Space, 'totalBytes'>): number {
  return 'bytes' in limit ? limit.bytes : Math.floor((totalBytes * limit.percent) / 100)
}

/** Why a file system is short of room, for people; undefined when it is not. */
export function judgePressure(limit: FreeLimit | undefined, space: Space | undefined): string | undefined {
  if (!limit || !space) return undefined
  const wanted = limitBytes(limit, space)
  if (space.freeBytes >= wanted) return undefined
  return `${formatBytes(space.freeBytes)} are free on ${space.path}, wanted at least ${formatBytes(wanted)}`
}
