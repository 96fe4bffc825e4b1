import { z } from '../../agent/contract/mod.ts'

/** What a run hands on to the next. */
export const memorySchema = z.object({
  files: z.record(
    z.string(),
    z.object({ ino: z.number(), size: z.number(), mtimeMs: z.number(), changedMs: z.number() }),
  ),
  timers: z.record(z.string(), z.object({ seenMs: z.number(), triggeredMs: z.number().nullable() })),
})

export type Memory = z.output<typeof memorySchema>
