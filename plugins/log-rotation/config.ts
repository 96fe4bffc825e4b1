import { absolutePath, byteSize, duration, fileMode, globBase, isGlob, z } from '../../agent/contract/mod.ts'
import { adoptedSettings } from './adopted/config.ts'
import { freeLimit } from './free-limit.ts'
import { unmanagedSettings } from './oversight/config.ts'
import { retentionPolicy } from './oversight/retention-policy.ts'

export const CALENDAR_INTERVALS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
export type CalendarInterval = (typeof CALENDAR_INTERVALS)[number]

const programPermissions = z
  .strictObject({
    list: z.array(absolutePath).optional().describe('Directories whose names it may list.'),
    read: z.array(absolutePath).optional().describe('Files and directories that it may read.'),
    write: z.array(absolutePath).optional().describe('Files and directories that it may change.'),
    net: z
      .array(z.string())
      .optional()
      .describe('"host:port", or "unix:/path" such as unix:/run/systemd/private for systemctl.'),
    env: z.array(z.string()).optional().describe('Environment variables that it gets from reeve.'),
    capabilities: z
      .array(z.string())
      .optional()
      .describe('Linux capabilities, such as CAP_KILL to signal processes of other users.'),
  })
  .describe('What the afterRotate program may touch; nothing unless listed.')

const logSet = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]+([_-][a-z0-9]+)*$/, 'wanted lower-case words joined by "-" or "_"')
      .max(100)
      .describe('Name of the set in findings and metrics.'),
    paths: z
      .array(absolutePath)
      .min(1)
      .describe('Logs, with wildcards (* ? [] {} **). A wildcard never takes in a rotated or hidden file.'),
    interval: z
      .union([z.enum(CALENDAR_INTERVALS), duration])
      .optional()
      .describe(
        'Rotate when a new hour, day, week (from Monday), month or year has begun since the last time, ' +
          'or after a duration such as 12h. The clock of a log starts when it is first seen.',
      ),
    size: byteSize
      .optional()
      .describe('Rotate when the log is this large, whatever the interval. Either reason suffices.'),
    minSize: byteSize.optional().describe('Do not rotate because of the interval what is smaller.'),
    keep: z.number().int().min(1).max(100_000).default(14).describe('Generations to keep.'),
    maxAge: duration.optional().describe('Remove generations that were last written longer ago than this.'),
    maxTotalSize: byteSize
      .optional()
      .describe(
        'The logs of the set and their generations together have no more than this: the oldest generations of all ' +
          'go first, the newest of a log never.',
      ),
    whenFreeBelow: freeLimit.optional().describe('As `whenFreeBelow` of the job, for this set.'),
    compress: z
      .enum(['none', 'gzip', 'zstd', 'xz', 'bzip2'])
      .default('zstd')
      .describe(
        'How generations are compressed; zcat reads gzip, zstdcat zstd, xzcat xz, bzcat bzip2. xz and bzip2 are ' +
          'done by the programs of the host.',
      ),
    delayCompress: z
      .boolean()
      .default(false)
      .describe('Leave the newest generation uncompressed until the next rotation.'),
    method: z
      .enum(['create', 'copytruncate'])
      .default('create')
      .describe(
        'create renames the log and puts a new one in its place. copytruncate is for writers that cannot ' +
          'reopen their log: lines written in the instant between copy and truncation are lost.',
      ),
    mode: fileMode.optional().describe('Mode of the new log, such as "0640". Default: as the old one.'),
    owner: z.string().min(1).optional().describe('Owner of the new log. Default: as the old one.'),
    group: z.string().min(1).optional().describe('Group of the new log. Default: as the old one.'),
    afterRotate: z
      .tuple([absolutePath], z.string())
      .optional()
      .describe(
        'Program with its arguments, run once after the logs of the set were rotated, without a shell; ' +
          'it has to make the writer reopen its log.',
      ),
    afterRotateTimeout: duration.default(30_000).describe('The program is killed after this time.'),
    afterRotatePermissions: programPermissions.optional(),
    reopenGrace: duration
      .default(5000)
      .describe('How long writers may take to reopen their log after afterRotate, before it is a finding.'),
    notIfEmpty: z.boolean().default(true).describe('Do not rotate an empty log.'),
    missingOk: z.boolean().default(false).describe('A path that matches nothing is no finding.'),
  })
  .refine((set) => set.interval !== undefined || set.size !== undefined, {
    message: 'wanted at least one of interval and size',
    path: ['interval'],
  })
  .refine((set) => set.method === 'create' || !(set.mode ?? set.owner ?? set.group), {
    message: 'mode, owner and group are for the method "create": copytruncate keeps the log itself',
    path: ['method'],
  })

export const configSchema = z
  .strictObject({
    sets: z
      .array(logSet)
      .default([])
      .refine((sets) => new Set(sets.map((set) => set.name)).size === sets.length, {
        message: 'two sets have the same name',
      })
      .describe(
        'Sets of logs that are rotated in the same way. A log belongs to the first set that matches it.',
      ),
    ...adoptedSettings,
    whenFreeBelow: freeLimit
      .optional()
      .describe(
        'When less than this is free on the file system of a log, such as "10%" or 2G, then logs of a mebibyte and ' +
          'more are rotated and all are compressed at once, and after that the oldest generations are removed, one ' +
          'after another, until there is room. The newest of a log is never removed.',
      ),
    unmanaged: unmanagedSettings
      .optional()
      .describe('Look for logs that nobody rotates, and for rules that match nothing; `{}` for /var/log.'),
    retention: z
      .array(retentionPolicy)
      .default([])
      .describe(
        'How long logs have to be kept. What a rule keeps shorter or longer is a finding, and what a policy demands ' +
          'is not removed early.',
      ),
    fullWithin: duration
      .default(14 * 86_400_000)
      .describe(
        'A file system with logs that will be full sooner than this, if it goes on as in the last eight days, is a finding.',
      ),
    timezone: z
      .string()
      .refine(isTimeZone, 'wanted a time zone such as Europe/Vienna')
      .optional()
      .describe("Where days, weeks and months begin. Default: the host's time zone."),
  })
  .refine(({ sets, logrotate, unmanaged }) => sets.length + logrotate.length > 0 || unmanaged, {
    message: 'wanted at least one of sets, logrotate and unmanaged',
    path: ['sets'],
  })

export type Config = z.output<typeof configSchema>
export type LogSet = Config['sets'][number]

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** The directory that holds what a pattern matches; where that is not known beforehand, the one above all. */
export function directoryOf(pattern: string): string {
  const directory = pattern.slice(0, pattern.lastIndexOf('/')) || '/'
  const anyDepth = directory.indexOf('/**')
  return anyDepth < 0 ? directory : directory.slice(0, anyDepth) || '/'
}

/** Where one has to list names in order to find what a pattern matches. */
export function listBaseOf(pattern: string): string {
  return isGlob(pattern) ? globBase(pattern) : directoryOf(pattern)
}

export function timeZoneOf(config: Config): string {
  return config.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}
