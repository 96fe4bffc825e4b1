import { absolutePath, byteSize, duration, z } from '../../agent/contract/mod.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

const expression = z.string().min(1).max(1000).refine(isExpression, 'wanted a regular expression')

function isExpression(text: string): boolean {
  try {
    new RegExp(text, 'u')
    return true
  } catch {
    return false
  }
}

const policy = z
  .strictObject({
    paths: z
      .array(absolutePath)
      .min(1)
      .describe('Logs that it is about, or patterns; /var/log/journal is the journal of systemd'),
    atLeast: duration.optional().describe('Logs are to be kept at least this long'),
    atMost: duration.optional().describe('Logs are to be kept no longer than this'),
    source: z.string().max(200).optional().describe('Who demands it'),
  })
  .refine(({ atLeast, atMost }) => (atLeast ?? atMost) !== undefined, {
    message: 'wanted at least one of atLeast and atMost',
    path: ['atLeast'],
  })

const log = z.strictObject({
  path: absolutePath.describe('The log, or a pattern'),
  service: z.string().max(100).optional().describe('Whose it is, for the reader'),
  missing: z
    .enum(['finding', 'inapplicable'])
    .default('finding')
    .describe('What it is when there is no such log'),
  format: z.enum(['text', 'json']).default('text').describe('`json`: each line is an object of JSON'),
  tolerance: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'Part of the lines that may be otherwise: without a time, or no JSON. Default: 0.3 for text, where errors have several lines, else 0.01',
    ),
  times: z
    .boolean()
    .default(true)
    .describe('Lines say when they were written; without that neither gaps nor order are judged'),
  timeField: z
    .string()
    .optional()
    .describe('In JSON: the field with the time. Default: time, ts, timestamp, @timestamp and the like'),
  fields: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'What every entry has to have: fields of JSON, or of `key=value` in text; `client_ip|ip` for either, `user.name` for an inner one',
    ),
  entries: z
    .record(z.string(), z.string())
    .default({})
    .describe('Only lines with these values are entries that need `fields`; that there is none is a finding'),
  maxGap: duration.optional().describe('A longer time without a line is a finding'),
  writtenWithin: duration.optional().describe('The last line is to be no older than this'),
  maxBytes: byteSize.optional().describe('A larger log is a finding'),
  rotated: z
    .boolean()
    .default(false)
    .describe('A rule of logrotate, or a log-rotation job of reeve, has to cover it'),
  rotatedWithin: duration
    .optional()
    .describe('logrotate has to have rotated it no longer ago than this, such as 8d for a weekly rule'),
})

const failure = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.:-]{1,60}$/)
      .describe('Subject of its finding'),
    log: absolutePath.optional().describe('Log to look into'),
    unit: z
      .string()
      .regex(/^[\w@.:\\-]{1,200}$/)
      .optional()
      .describe('Or the unit of systemd whose journal to look into'),
    pattern: expression.describe('Regular expression; each line that matches counts'),
    atMost: z.int().min(0).default(10).describe('More of them within the window are a finding'),
    window: duration.default(HOUR_MS).describe('How far to look back; at most a day'),
  })
  .refine(({ log: path, unit }) => (path === undefined) !== (unit === undefined), {
    message: 'wanted either log or unit',
    path: ['log'],
  })
  .refine(({ window }) => window <= DAY_MS, { message: 'wanted a day at most', path: ['window'] })

export const configSchema = z.strictObject({
  failedLogins: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Look for failed logins'),
      atMost: z.int().min(0).default(300).describe('More of them within the window are a finding'),
      window: duration
        .default(HOUR_MS)
        .refine((time) => time <= DAY_MS, 'wanted a day at most')
        .describe('How far to look back; at most a day'),
      guesses: z
        .int()
        .min(1)
        .default(10)
        .describe('A login from an address that failed so often before, within the window, is critical'),
      files: z
        .array(absolutePath)
        .default(['/var/log/auth.log', '/var/log/secure'])
        .describe('Logs of logins, for a host without the journal of systemd'),
    })
    .prefault({})
    .describe('Failed logins over SSH, at the console and of sudo and su'),
  failures: z
    .array(failure)
    .default([])
    .refine(
      (all) => new Set(all.map(({ name }) => name)).size === all.length,
      'two entries have the same name',
    )
    .describe('Lines that tell of failures in the logs of services'),
  logs: z
    .array(log)
    .default([])
    .describe('Logs that are looked at line by line, from where the last run ended'),
  retention: z
    .array(policy)
    .default([])
    .describe('How long logs are to be kept, by logrotate and by journald'),
  logrotate: z
    .strictObject({
      files: z.array(absolutePath).default(['/etc/logrotate.conf']).describe('Configurations of logrotate'),
      includes: z
        .array(absolutePath)
        .default(['/etc/logrotate.d'])
        .describe('Directories and files that they include'),
      state: absolutePath.default('/var/lib/logrotate/status').describe('Where logrotate keeps its state'),
    })
    .prefault({})
    .describe('Where logrotate is configured'),
  forwarding: z
    .enum(['required', 'optional'])
    .default('optional')
    .describe('Whether logs of this host have to be sent to another one'),
  maxReadBytes: byteSize
    .default(16 * 1024 * 1024)
    .describe('Read of each log in one run; the next one goes on'),
})

export type Config = z.output<typeof configSchema>
export type LogSettings = Config['logs'][number]
export type Policy = Config['retention'][number]
export type Failure = Config['failures'][number]
