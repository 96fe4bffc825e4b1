import { absolutePath, duration, z } from '../../agent/contract/mod.ts'
import { FURTHER_DIRECTIVES, STANDARD_DIRECTIVES } from './directives.ts'

const unitName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\s/-][^\s/]*$/, 'wanted the name of a unit, such as nginx.service, or a pattern')

const hardening = z.strictObject({
  set: z
    .enum(['standard', 'none'])
    .default('standard')
    .describe('`standard`: the directives that a network service can have. `none`: only those of `values`'),
  except: z
    .array(z.enum(STANDARD_DIRECTIVES))
    .default([])
    .describe('Directives of the set that this unit cannot have'),
  values: z
    .partialRecord(z.enum([...STANDARD_DIRECTIVES, ...FURTHER_DIRECTIVES]), z.array(z.string()).min(1))
    .default({})
    .describe(
      'What is right for a directive, in place of what the set says: { ProtectHome: ["yes", "read-only"] }',
    ),
  writable: z
    .array(absolutePath)
    .optional()
    .describe('Directories that it may write: ReadWritePaths= names no others. Default: not looked at'),
})

export const unitDemands = z
  .strictObject({
    unit: unitName.optional().describe('Name of the unit, or a pattern: "app@*.service"'),
    command: z.string().min(1).optional().describe('Text in its ExecStart=, where the name is not known'),
    owner: z
      .string()
      .min(1)
      .optional()
      .describe('User whose own service manager has the unit. Default: that of the system'),
    home: absolutePath
      .optional()
      .describe('Home directory of the owner. Default: /home/OWNER, of root /root'),
    missing: z
      .enum(['finding', 'ok'])
      .default('finding')
      .describe('What it is when there is no such unit; `ok`: the rules about it do not apply then'),
    active: z.boolean().optional().describe('Whether it is to run'),
    enabled: z.boolean().optional().describe('Whether it is to be started with the host'),
    user: z.string().optional().describe('User that it runs as; "*" is any but root'),
    group: z.string().optional().describe('Group that it runs as'),
    hardening: hardening.optional().describe('Directives that take power from it. Default: not looked at'),
    exposure: z
      .number()
      .min(0)
      .max(10)
      .optional()
      .describe('Highest exposure level of `systemd-analyze security` that is in order'),
    coreDumps: z.boolean().optional().describe('`false`: its processes must leave no core dumps'),
    reload: z
      .enum(['possible', 'impossible'])
      .optional()
      .describe(
        '`possible`: it must have ExecReload=. `impossible`: the program has no way to reload, so it must have none',
      ),
    files: z
      .array(absolutePath)
      .default([])
      .describe('Files, or patterns, that it reads when it starts: a change asks for a restart'),
    loadedBy: z.enum(['restart', 'reload']).default('restart').describe('What makes it read `files` anew'),
  })
  .refine(({ unit, command }) => unit !== undefined || command !== undefined, 'wanted `unit` or `command`')

export const configSchema = z.strictObject({
  units: z.array(unitDemands).max(200).default([]).describe('Units, and how they have to be'),
  purposes: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(100).describe('What is to be done, for the reader: "packet filter"'),
        anyOf: z.array(unitName).min(1).describe('Units that do it, or patterns: one of them has to'),
        running: z.boolean().default(true).describe('It has to be active now'),
        atBoot: z.boolean().default(true).describe('It has to be started with the host'),
      }),
    )
    .default([])
    .describe('What some unit has to do, whichever it is'),
  ignoreFailed: z.array(unitName).default([]).describe('Units, or patterns, that may be failed'),
  ignoreTimers: z.array(unitName).default([]).describe('Timers, or patterns, that may miss their time'),
  timerGrace: duration
    .prefault('1h')
    .describe('How much later than its time a timer may be, beside its own delays'),
})

export type Config = z.output<typeof configSchema>
export type UnitDemands = Config['units'][number]

export function homeOf({ owner = '', home }: Pick<UnitDemands, 'owner' | 'home'>): string {
  return home ?? (owner === 'root' ? '/root' : `/home/${owner}`)
}
