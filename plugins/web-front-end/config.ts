import { absolutePath, duration, z } from '../../agent/contract/mod.ts'

export const REQUIREMENTS = ['tls', 'redirect', 'hsts', 'headers', 'rate-limit', 'forward-headers'] as const
export type Requirement = (typeof REQUIREMENTS)[number]

const front = z.strictObject({
  port: z.int().min(1).max(65_535).describe('Port of this host on which the service behind listens'),
  service: z.string().max(100).optional().describe('What it is, for the reader'),
  requires: z
    .array(z.enum(REQUIREMENTS))
    .default(['tls'])
    .describe(
      '`tls`: nothing but this host gets there in clear. `redirect`: plain HTTP leads to https. `hsts`: browsers are told ' +
        'to stay with https. `headers`: answers have `headers`. `rate-limit`: requests are limited for each client. ' +
        '`forward-headers`: the service is told who asks',
    ),
  required: z
    .boolean()
    .default(false)
    .describe('There must be a front end for it. Default: what is asked for holds where there is one'),
  paths: z
    .array(z.string().startsWith('/'))
    .default([])
    .describe('Requests that are meant, such as `/register`. Default: all that reach the service'),
  mostPerSecond: z
    .number()
    .positive()
    .optional()
    .describe('With `rate-limit`: requests that a client may make in a second'),
})

export const configSchema = z.strictObject({
  nginx: absolutePath
    .default('/etc/nginx/nginx.conf')
    .describe('Configuration of nginx; what it includes is read, too'),
  caddy: absolutePath
    .default('/etc/caddy/Caddyfile')
    .describe('Configuration of Caddy: a Caddyfile, which Caddy itself translates, or its JSON (*.json)'),
  directories: z
    .array(absolutePath)
    .default(['/etc/nginx', '/usr/share/nginx/modules-available', '/etc/caddy'])
    .describe('Where files that are included lie'),
  certificates: z
    .array(absolutePath)
    .default(['/etc/ssl', '/etc/letsencrypt', '/etc/nginx', '/etc/caddy'])
    .describe('Where certificates and their keys lie'),
  keyGroups: z
    .array(z.string())
    .default(['root', 'ssl-cert', 'caddy'])
    .describe('Groups that may read a key'),
  protocols: z
    .array(z.enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']))
    .default(['TLSv1.2', 'TLSv1.3'])
    .describe('Versions of TLS that may be offered'),
  hstsAtLeast: duration
    .default(365 * 86_400_000)
    .describe('How long browsers are to stay with https (max-age of Strict-Transport-Security)'),
  headers: z
    .record(z.string(), z.array(z.string()))
    .default({
      'X-Content-Type-Options': ['nosniff'],
      'X-Frame-Options': ['DENY', 'SAMEORIGIN'],
      'Referrer-Policy': [],
    })
    .describe('For `headers`: what answers must have, with the values that are right; none: any'),
  forwardHeaders: z
    .array(z.string())
    .default(['X-Real-IP', 'X-Forwarded-For', 'X-Forwarded-Proto'])
    .describe('For `forward-headers`: what the service is told. X-Real-IP is not asked of Caddy'),
  fronts: z
    .array(front)
    .refine((fronts) => new Set(fronts.map(({ port }) => port)).size === fronts.length, {
      message: 'two entries have the same port',
    })
    .default([])
    .describe('Services of this host that are reached through nginx or Caddy'),
})

export type Config = z.output<typeof configSchema>
export type Front = Config['fronts'][number]
