import { absolutePath, fileMode, isGlob, z } from '../../../agent/contract/mod.ts'

const FILE_TYPES = [
  'file',
  'directory',
  'symlink',
  'socket',
  'fifo',
  'block-device',
  'character-device',
] as const

export const severity = z.enum(['info', 'warning', 'critical'])
/** Before the name of a unit in a list of accounts: no name of an account has a colon. */
export const SERVICE_OF = 'service:'

const whenAbsent = z.enum(['ok', 'finding'])

const account = z
  .union([z.string().min(1), z.number().int().nonnegative()], { error: 'wanted a name or a number' })
  .transform(String)
const unitName = z
  .string()
  .regex(/^[\w:.@\\-]+\.(service|socket|mount|swap)$/, 'wanted the name of a unit, such as "nginx.service"')
const serviceOf = z
  .strictObject({
    serviceOf: unitName.describe('The user, or group, that this unit runs as, by its unit files'),
  })
  .transform(({ serviceOf }) => [`${SERVICE_OF}${serviceOf}`])
const accounts = z.union([account.transform((one) => [one]), z.array(account).min(1), serviceOf], {
  error: 'wanted a name, a number, a list of them, or { serviceOf: UNIT }',
})

const mode = z.union(
  [
    fileMode.transform((bits): ModeRule => ({ kind: 'exact', bits, mayWiden: false })),
    z
      .strictObject({
        exact: fileMode.describe('The mode, all of it'),
        mayWiden: z
          .boolean()
          .default(false)
          .describe('With `mode: enforce` also add permissions that are lacking, not only take away'),
      })
      .transform(({ exact, mayWiden }): ModeRule => ({ kind: 'exact', bits: exact, mayWiden })),
    z
      .strictObject({ atMost: fileMode.describe('No bit but these; a stricter mode is fine') })
      .transform(({ atMost }): ModeRule => ({ kind: 'at-most', bits: atMost })),
    z
      .strictObject({
        atLeast: fileMode.describe('All of these bits; a wider mode is fine'),
        mayWiden: z.boolean().default(false).describe('With `mode: enforce` also add those that are lacking'),
      })
      .transform(({ atLeast, mayWiden }): ModeRule => ({ kind: 'at-least', bits: atLeast, mayWiden })),
  ],
  {
    error:
      'wanted a mode in octal and in quotes ("0640"), { exact: "0640" }, { atMost: "0640" } or { atLeast: "0400" }',
  },
)

export type ModeRule =
  | { kind: 'exact' | 'at-least'; bits: number; mayWiden: boolean }
  | { kind: 'at-most'; bits: number }

const A_PATH = 'wanted an absolute path without ".." and without a trailing slash, or a list of them'
const rulePath = z
  .string({ error: A_PATH })
  .refine((path) => absolutePath.safeParse(path.replace(/^!/, '')).success, { message: A_PATH })

const noneOr = (error: string) => z.string({ error }).min(1, error)

export const rule = z
  .strictObject({
    path: z
      .union([rulePath.transform((one) => [one]), z.array(rulePath).min(1)], { error: A_PATH })
      .describe(
        'A path, or a pattern: `*` `?` `[a-z]` `{a,b}` within a name, `**` for any number of directories. ' +
          '`*` leaves out hidden names, `**` does not; neither follows a link or enters another file system. A list ' +
          'of them is as many rules; what begins with `!` in it is an exception from all of them',
      ),
    type: z
      .union([z.enum(FILE_TYPES), z.array(z.enum(FILE_TYPES)).min(1)], {
        error: `wanted one of ${FILE_TYPES.join(', ')}, or a list of them`,
      })
      .transform((value) => (Array.isArray(value) ? value : [value]))
      .optional()
      .describe('What it has to be, or a list'),
    owner: accounts.optional().describe('User, by name or number; of a list, the first is what is put back'),
    group: accounts.optional().describe('Group, like `owner`'),
    mode: mode
      .optional()
      .describe(
        'Permission bits, `"0640"` for exactly these. In a pattern it is for everything but directories, unless ' +
          '`type` is `directory`',
      ),
    directoryMode: mode.optional().describe('The same for directories, where a pattern matches both'),
    acl: noneOr('wanted "none", or a list such as "user::rw-,user:ana:r--,group::r--,mask::r--,other::---"')
      .optional()
      .describe('POSIX access control list as `getfacl -c` has it, or `none` for no more than the mode says'),
    capabilities: noneOr('wanted "none", or capabilities such as "cap_net_bind_service=ep"')
      .optional()
      .describe('File capabilities as `getcap` has them, or `none`'),
    xattrs: z
      .record(z.string().min(1), z.string())
      .optional()
      .describe('Extended attributes that it has to have, by name, with their value as text'),
    setuid: z.boolean().optional().describe('Whether it runs as its owner, apart from the rest of the mode'),
    setgid: z.boolean().optional().describe('Whether it runs as its group, apart from the rest of the mode'),
    immutable: z.boolean().optional().describe('Whether nobody may change it (`chattr +i`)'),
    target: z
      .string()
      .min(1)
      .optional()
      .describe('Where it leads as a symbolic link, as it is written there'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'wanted 64 hex digits')
      .optional()
      .describe('Of the contents of a file'),
    missing: whenAbsent
      .optional()
      .describe('Whether it may be missing, for a path without wildcards. Default: finding'),
    noMatch: whenAbsent.optional().describe('Whether nothing may match, for a pattern. Default: ok'),
    severity: severity.optional().describe('Of the findings of this rule. Default: by what is wrong'),
  })
  .superRefine((value, context) => {
    const paths = value.path.filter((path) => !path.startsWith('!'))
    if (paths.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['path'],
        message: 'wanted at least one path that is no exception',
      })
    }
    for (const path of paths) {
      const [key, other] = isGlob(path)
        ? (['missing', 'noMatch'] as const)
        : (['noMatch', 'missing'] as const)
      // In a list each takes what is for it.
      if (value[key] === undefined || paths.length > 1) continue
      const kind = isGlob(path) ? 'a pattern' : 'a path without wildcards'
      context.addIssue({ code: 'custom', path: [key], message: `this is ${kind}: wanted \`${other}\`` })
    }
  })

type RuleInput = z.output<typeof rule>

/** A rule of one path. */
export type RuleConfig = Omit<RuleInput, 'path'> & { path: string; except: string[] }

/** A rule of the configuration as rules of one path each. Pure. */
export function splitRule({ path, ...rest }: RuleInput): RuleConfig[] {
  const except = path.filter((each) => each.startsWith('!')).map((each) => each.slice(1))
  return path.filter((each) => !each.startsWith('!')).map((each) => ({ path: each, except, ...rest }))
}
