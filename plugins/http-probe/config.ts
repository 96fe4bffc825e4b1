import {
  absolutePath,
  byteSize,
  duration,
  isSecretName,
  secretReference,
  z,
} from '../../agent/contract/mod.ts'
import { isAddress, isLocal } from './target.ts'

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'wanted the name of a header')
const oneLine = z
  .string()
  .max(8192)
  .regex(/^[^\r\n\0]*$/, 'wanted one line')

/** Headers that carry a secret, whatever they are called. */
const BEARERS = ['authorization', 'proxy-authorization', 'cookie']

const plainHeaders = z
  .record(headerName, oneLine)
  .refine(
    (headers) =>
      !Object.keys(headers).some((name) => BEARERS.includes(name.toLowerCase()) || isSecretName(name)),
    { message: 'a header that carries a secret belongs into secretHeaders, as a reference' },
  )

const metric = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
    .describe('Name of the series'),
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe('Only series with these labels; those that match are added up'),
  atMost: z.number().optional().describe('A larger value is a finding'),
  atLeast: z.number().optional().describe('A smaller value is a finding'),
})

const EXPECTATIONS = ['ok', 'refused', 'hidden'] as const

const probe = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.:-]{1,60}$/, 'wanted letters, digits, ".", ":", "_" and "-"')
      .describe('Subject of its findings'),
    url: z
      .string()
      .refine(
        (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
        'wanted a URL of http or https',
      )
      .refine(
        (text) => !URL.canParse(text) || `${new URL(text).username}${new URL(text).password}` === '',
        'a password in a URL is a secret: use secretHeaders',
      )
      .describe('What is asked for. Its host is the loopback or an address of this host'),
    connectTo: z
      .union([z.literal('this-host'), z.string().refine(isAddress, 'wanted an IP address, or this-host')])
      .optional()
      .describe(
        'Address to connect to, where the URL has a name; `this-host`: every address of this host but the loopback, as others would reach it',
      ),
    elsewhere: z.boolean().default(false).describe('It may be on another host'),
    method: z
      .enum(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .default('GET')
      .describe('Method'),
    headers: plainHeaders.default({}).describe('Headers to send'),
    secretHeaders: z
      .record(
        headerName,
        z.strictObject({
          secret: secretReference.describe('Where the value is to be found'),
          prefix: oneLine.default('').describe('What stands before it, such as "Bearer "'),
        }),
      )
      .default({})
      .describe('Headers with a secret; over https they are sent to a trusted server only'),
    body: z.string().max(65_536).optional().describe('Body to send; it is no place for a secret'),
    expects: z
      .union([z.enum(EXPECTATIONS), z.array(z.int().min(200).max(599)).min(1)])
      .default('ok')
      .describe(
        '`ok`: an answer of 2xx. `refused`: 401 or 403. `hidden`: no answer of 2xx or 3xx; that nothing listens there is right, too. ' +
          'Or a list of what the status may be',
      ),
    responseHeaders: z
      .record(headerName, z.array(z.string()))
      .default({})
      .describe(
        'Headers that the answer must have, with the values that are right; `*` in a value is any text, no value: any',
      ),
    forbiddenHeaders: z.array(headerName).default([]).describe('Headers that the answer must not have'),
    cookies: z
      .enum(['any', 'strict'])
      .default('any')
      .describe('`strict`: cookies are HttpOnly, Secure and SameSite (Strict or Lax)'),
    contains: z.string().min(1).max(1000).optional().describe('Text that the body must have'),
    json: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .default({})
      .describe('Values that the body, JSON, must have, by their path: `checks.database: ok`'),
    metrics: z.array(metric).default([]).describe('Series that the body, text of Prometheus, must have'),
    authority: absolutePath
      .optional()
      .describe('PEM of whom to trust over https. Default: the public authorities'),
    certificate: absolutePath
      .optional()
      .describe('File of the certificate that is to be served; another one is a finding'),
    whenDown: z
      .enum(['blind', 'inapplicable', 'finding'])
      .default('blind')
      .describe('What it is when nothing listens there'),
    timeout: duration.default(5000).describe('For the whole answer'),
    maxBytes: byteSize.default(65_536).describe('Of the body; what is longer is not looked at'),
  })
  .superRefine(({ url, connectTo, elsewhere, certificate, method, body, secretHeaders }, context) => {
    if (!URL.canParse(url)) return
    const { hostname, protocol } = new URL(url)
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (!elsewhere && !isLocal(hostname) && !isAddress(hostname) && connectTo === undefined) {
      complain('url', 'where a name leads is up to others: set connectTo, or elsewhere: true')
    }
    if (elsewhere && protocol === 'http:' && Object.keys(secretHeaders).length > 0) {
      complain('secretHeaders', 'a secret goes to another host over https only')
    }
    if (certificate !== undefined && protocol !== 'https:') complain('certificate', 'only https serves one')
    if (body !== undefined && ['GET', 'HEAD'].includes(method)) complain('body', `${method} has no body`)
  })

export const configSchema = z.strictObject({
  probes: z
    .array(probe)
    .min(1)
    .max(200)
    .refine((probes) => new Set(probes.map(({ name }) => name)).size === probes.length, {
      message: 'two probes have the same name',
    })
    .describe('Requests to services of this host'),
})

export type Config = z.output<typeof configSchema>
export type Probe = Config['probes'][number]
