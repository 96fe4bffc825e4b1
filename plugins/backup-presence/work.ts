import {
  type Blind,
  type CheckContext,
  describeError,
  type Fact,
  type Finding,
  type Metric,
  z,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { type Format, HEAD_BYTES, sniff } from './format.ts'
import type { BackupFile } from './judge.ts'

/** What was found in a file that has not changed since: reading it again would find the same. */
export const memorySchema = z.object({
  digests: z.record(z.string(), z.string()),
  contents: z.record(z.string(), z.object({ secrets: z.array(z.string()), missing: z.array(z.string()) })),
})
export type Memory = z.output<typeof memorySchema>

/** What one check has come to so far. */
export interface Work {
  ctx: CheckContext<Config>
  before: Memory
  after: Memory
  findings: Finding[]
  blind: Blind[]
  facts: Fact[]
  metrics: Metric[]
  examined: number
}

/** The files of a pattern, the newest first; undefined when that cannot be told. */
export function found({ ctx, blind }: Work, pattern: string, rules: string[]): BackupFile[] | undefined {
  const gaps: Blind[] = []
  try {
    const entries = ctx.host.glob(pattern, (subject, reason) => gaps.push({ subject, reason, rules }))
    blind.push(...gaps)
    const files = entries
      .filter(({ type }) => type === 'file')
      .map(({ path, size, mtimeMs, mode, dev }) => ({ path, bytes: size, mtimeMs, mode, device: dev }))
      .toSorted((a, b) => b.mtimeMs - a.mtimeMs || (a.path < b.path ? 1 : -1))
    return files.length === 0 && gaps.length > 0 ? undefined : files
  } catch (error) {
    blind.push({ subject: pattern, reason: describeError(error), rules })
    return undefined
  }
}

/** What a file is; undefined when that cannot be told, which is blind for the rules (none: nobody asks). */
export function formatOf(
  { ctx: { host }, blind }: Work,
  { path }: BackupFile,
  rules: string[],
): Format | undefined {
  try {
    const file = host.open(path)
    try {
      const head = new Uint8Array(HEAD_BYTES)
      let length = 0
      for (;;) {
        const count = file.read(head.subarray(length), length)
        length += count
        if (count === 0 || length === HEAD_BYTES) break
      }
      const format = sniff(head.subarray(0, length), file.stat.size)
      // An empty one is told by its size.
      if (format.kind === 'unknown' && rules.length > 0 && file.stat.size > 0)
        blind.push({ subject: path, reason: format.why, rules })
      return format
    } finally {
      file.close()
    }
  } catch (error) {
    blind.push({
      subject: path,
      reason: describeError(error),
      rules: rules.length > 0 ? rules : ['secret-in-backup'],
    })
    return undefined
  }
}

/** Tells one state of a file from any other. */
export function keyOf({ path, bytes, mtimeMs }: BackupFile, more: readonly string[]): string {
  return [path, bytes, mtimeMs, ...more].join('\0')
}
