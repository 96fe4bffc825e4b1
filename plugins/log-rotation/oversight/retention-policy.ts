import { absolutePath, duration, globMatcher, z } from '../../../agent/contract/mod.ts'

/** A rule of the house about how long logs are kept. */
export const retentionPolicy = z
  .strictObject({
    paths: z
      .array(absolutePath)
      .min(1)
      .describe('Logs that it is about, with wildcards; /var/log/journal is the journal of systemd.'),
    atLeast: duration.optional().describe('Logs are to be kept at least this long.'),
    atMost: duration.optional().describe('Logs are to be kept no longer than this.'),
    source: z.string().max(200).optional().describe('Who demands it, such as "security guide, section 7".'),
  })
  .refine(({ atLeast, atMost }) => (atLeast ?? atMost) !== undefined, {
    message: 'wanted at least one of atLeast and atMost',
    path: ['atLeast'],
  })

export type RetentionPolicy = z.output<typeof retentionPolicy>

/** The policies about a path. */
export function policiesFor(policies: RetentionPolicy[], path: string): RetentionPolicy[] {
  return policies.filter(({ paths }) => globMatcher(paths)(path))
}

/** How long a path is to be kept at least; undefined where no policy says so. */
export function keepAtLeast(policies: RetentionPolicy[], path: string): number | undefined {
  const demands = policiesFor(policies, path).flatMap(({ atLeast }) => atLeast ?? [])
  return demands.length > 0 ? Math.max(...demands) : undefined
}
