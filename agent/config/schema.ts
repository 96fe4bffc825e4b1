import { isIP } from 'node:net'
import { z } from 'zod'
import { absolutePath, duration, secretReference } from '../contract/fields.ts'
import { SEVERITIES } from '../contract/report.ts'
import { isHostPort } from './address.ts'
import { jobName } from './job-name.ts'
import { profileUseSchema } from './profile-schema.ts'

// Every field is described: the reference page and the JSON Schema for editors are made of this file.

export const SANDBOX_MODES = ['always', 'auto', 'off'] as const
export type SandboxMode = (typeof SANDBOX_MODES)[number]

const hostPort = z
  .string()
  .refine(isHostPort, { message: 'wanted ADDRESS:PORT, such as 127.0.0.1:7338 or [::1]:7338' })

const network = z
  .string()
  .refine(isNetwork, { message: 'wanted an address or a network, such as 192.0.2.7 or 10.0.0.0/8' })

const timezone = z.string().refine(isTimezone, { message: 'wanted a time zone such as Europe/Vienna or UTC' })

const sandbox = z
  .enum(SANDBOX_MODES)
  .describe('`always`: no jail, no run. `auto`: jail where the kernel has it. `off`: no jail (not advised)')

const permissionList = z.array(z.string())

export const grantSchema = z
  .strictObject({
    list: permissionList.optional().describe('Directories whose names and metadata may be seen'),
    read: permissionList.optional().describe('Files and directories that may be read'),
    write: permissionList.optional().describe('Files and directories that may be changed'),
    attributes: permissionList
      .optional()
      .describe('Files and directories whose mode and owner may be changed'),
    net: permissionList
      .optional()
      .describe('"host:port", "this-host:port" (any address of this host), "unix:/path" or "unix-get:/path"'),
    run: z
      .array(z.array(z.string()).min(1))
      .optional()
      .describe('Programs with their arguments; a last "…" allows any'),
    env: permissionList.optional().describe('Environment variables that are passed on'),
    secrets: z.array(secretReference).optional().describe('Secret references that may be resolved'),
    capabilities: permissionList.optional().describe('Linux capabilities, such as CAP_DAC_READ_SEARCH'),
  })
  .describe('What an external plugin is allowed of what it asks for')

export const jobSchema = z.strictObject({
  plugin: z.string().describe('The plugin that does the work; `reeve plugins` lists them'),
  schedule: z
    .string()
    .optional()
    .describe(
      'Cron expression of 5 or 6 fields, a nickname such as @hourly, or `manual`. Default: the plugin’s',
    ),
  timezone: timezone.optional().describe('Time zone of the schedule. Default: `defaults.timezone`'),
  mode: z
    .enum(['observe', 'enforce'])
    .default('observe')
    .describe(
      '`observe` only looks; `enforce` also puts right what it finds (and makes backups, rotates logs)',
    ),
  timeout: duration.optional().describe('A run that takes longer is ended. Default: the plugin’s'),
  jitter: duration
    .optional()
    .describe('Starts up to this much later, by chance, so that hosts do not act at once'),
  runOnStart: z.boolean().default(false).describe('Run once when the daemon starts'),
  catchUp: z.boolean().default(true).describe('Run once at start when a scheduled run was missed'),
  watch: z
    .boolean()
    .default(false)
    .describe('Run as soon as something changes on the paths that the job looks after, beside its schedule'),
  enabled: z.boolean().default(true).describe('`false`: keep it in the configuration, but never run it'),
  sandbox: sandbox.optional(),
  grant: grantSchema.optional(),
  config: z.record(z.string(), z.unknown()).default({}).describe('The plugin’s own settings'),
})

const channelBase = {
  name: jobName.describe('Name of the channel, for `reeve status` and the log'),
  url: z
    .union([secretReference, z.url({ protocol: /^https?$/, error: 'wanted an https:// URL' })])
    .describe(
      'Where to send: https, or http on loopback only. A reference such as env:NAME where the URL is itself a secret',
    ),
  minimumSeverity: z.enum(SEVERITIES).default('warning').describe('Findings below it are not sent'),
  jobs: z.array(jobName).optional().describe('Only findings of these jobs. Default: all'),
}

export const channelSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...channelBase,
    type: z.literal('webhook').describe('Standard Webhooks: signed JSON'),
    secret: secretReference.describe('The signing key: "whsec_" and base64 of 24 to 64 bytes'),
  }),
  z.strictObject({
    ...channelBase,
    type: z.literal('slack').describe('A message that Slack and its kin understand'),
  }),
])

export const waiverSchema = z.strictObject({
  rule: z.string().describe('Rule, or a pattern with `*`'),
  subject: z.string().default('**').describe('Subject, or a pattern with `*` and `**`'),
  job: jobName.optional().describe('Only for this job'),
  owner: z.string().min(1).describe('Who answers for it'),
  reason: z.string().min(1).describe('Why it is accepted'),
  expires: z.iso
    .date({ error: 'wanted a day such as 2027-03-31' })
    .describe('The last day on which it holds, YYYY-MM-DD'),
})

export const configSchema = z.strictObject({
  stateDir: absolutePath.optional().describe('Database, keys and memory of the jobs. Default /var/lib/reeve'),
  api: z
    .strictObject({
      listen: hostPort
        .default('127.0.0.1:7338')
        .describe('Address of the status API. Anything but loopback needs `tls` and a token'),
      socket: z
        .union([absolutePath, z.literal(false)])
        .optional()
        .describe(
          'Unix socket (0660); who may open it needs no token. Default /run/reeve/reeve.sock; false: none',
        ),
      socketGroup: z.string().default('reeve').describe('Group of the unix socket'),
      hosts: z
        .array(z.string())
        .default([])
        .describe('Further host names under which the API may be asked (a guard against DNS rebinding)'),
      clients: z
        .array(network)
        .default([])
        .describe(
          'Networks and addresses whose clients may ask, such as 10.0.0.0/8; others are refused whatever they ' +
            'present. This machine always may. Default: all',
        ),
      tls: z
        .strictObject({
          certificate: absolutePath.describe('PEM file with the certificate and its chain'),
          key: absolutePath.describe('PEM file with the private key, mode 0600'),
          clientAuthority: absolutePath
            .optional()
            .describe(
              'PEM file with the authorities whose certificates clients have to show (mutual TLS), beside their token',
            ),
        })
        .optional()
        .describe('Serve https'),
    })
    .prefault({})
    .describe('The status API and page'),
  defaults: z
    .strictObject({
      timezone: timezone.optional().describe('Time zone of all schedules. Default: that of the host'),
      timeout: duration.optional().describe('Time that a run may take. Default: the plugin’s'),
      jitter: duration.optional().describe('See `jobs.*.jitter`'),
      sandbox: sandbox.default('always'),
    })
    .prefault({})
    .describe('Defaults for all jobs'),
  plugins: z
    .strictObject({
      paths: z.array(absolutePath).default([]).describe('Files of external plugins (.ts or .js)'),
    })
    .prefault({})
    .describe('Plugins beside the built-in ones'),
  alerts: z
    .strictObject({
      channels: z.array(channelSchema).default([]).describe('Where alerts go'),
      allowedHosts: z
        .array(z.string())
        .default([])
        .describe(
          'Hosts that channels may send to, `*.example.org` for all below. Default: those of the channels',
        ),
    })
    .prefault({})
    .describe('Alerts on findings that open, come back and are resolved'),
  jobs: z.record(jobName, jobSchema).default({}).describe('What to run, by name'),
  profiles: z.array(profileUseSchema).default([]).describe('Checklists, each with the jobs that judge it'),
  waivers: z.array(waiverSchema).default([]).describe('Findings that are accepted for a time'),
  retention: z
    .strictObject({
      runs: duration.prefault('180d').describe('Runs, artifacts and audit entries are kept this long'),
      findings: duration.prefault('365d').describe('Resolved findings are kept this long'),
    })
    .prefault({})
    .describe('How long history is kept; the newest run of each job always is'),
})

export type Config = z.output<typeof configSchema>
export type JobConfig = z.output<typeof jobSchema>
export type ChannelConfig = z.output<typeof channelSchema>
export type WaiverConfig = z.output<typeof waiverSchema>

function isNetwork(text: string): boolean {
  const [address = '', bits, rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest !== undefined) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
