import { absolutePath, duration, fileMode, isGlob, z } from '../../agent/contract/mod.ts'
import { ATTRIBUTES } from './change.ts'
import { pace } from './pace.ts'

const FILE_TYPES = [
  'file',
  'directory',
  'symlink',
  'socket',
  'fifo',
  'block-device',
  'character-device',
] as const

const severity = z.enum(['info', 'warning', 'critical'])
const whenAbsent = z.enum(['ok', 'finding'])

const account = z
  .union([z.string().min(1), z.number().int().nonnegative()], { error: 'wanted a name or a number' })
  .transform(String)
const accounts = z
  .union([account, z.array(account).min(1)], { error: 'wanted a name, a number, or a list of them' })
  .transform((value) => (Array.isArray(value) ? value : [value]))

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
  ],
  { error: 'wanted a mode in octal and in quotes ("0640"), { exact: "0640" } or { atMost: "0640" }' },
)

export type ModeRule = { kind: 'exact'; bits: number; mayWiden: boolean } | { kind: 'at-most'; bits: number }

const rule = z
  .strictObject({
    path: absolutePath.describe(
      'A path, or a pattern: `*` `?` `[a-z]` `{a,b}` within a name, `**` for any number of directories. ' +
        '`*` leaves out hidden names, `**` does not; neither follows a link or enters another file system',
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
    missing: whenAbsent
      .optional()
      .describe('Whether it may be missing, for a path without wildcards. Default: finding'),
    noMatch: whenAbsent.optional().describe('Whether nothing may match, for a pattern. Default: ok'),
    severity: severity.optional().describe('Of the findings of this rule. Default: by what is wrong'),
  })
  .superRefine((value, context) => {
    const [key, other] = isGlob(value.path)
      ? (['missing', 'noMatch'] as const)
      : (['noMatch', 'missing'] as const)
    if (value[key] === undefined) return
    const kind = isGlob(value.path) ? 'a pattern' : 'a path without wildcards'
    context.addIssue({ code: 'custom', path: [key], message: `this is ${kind}: wanted \`${other}\`` })
  })

const pattern = z.string().refine((text) => text.startsWith('/') || text.startsWith('**/'), {
  message: 'wanted a path or pattern that begins with "/" or with "**/"',
})

const tree = z.strictObject({
  path: absolutePath
    .refine((path) => !isGlob(path), { message: 'wanted a directory without wildcards' })
    .describe('The directory whose every entry is compared with the baseline'),
  attributes: z
    .array(z.enum(ATTRIBUTES))
    .min(1)
    .default(['mode', 'owner', 'group'])
    .describe(
      'What is compared, besides the type. `content` is the SHA-256 of files, `target` where links lead, `acl` POSIX ' +
        'access control lists, `capabilities` those of files, `xattrs` all other extended attributes, `flags` what ' +
        '`chattr` sets (immutable, append-only), `device` the numbers of device files, `links` how many names a file ' +
        'has; `size` is of files and links',
    ),
  rehash: duration
    .prefault('7d')
    .describe(
      'Within this time the content of every file is read again, some in each run, though size, times and inode say ' +
        'that nobody touched it',
    ),
  exclude: z
    .array(pattern)
    .default([])
    .describe('Paths or patterns that are left out, with all below them, such as `/etc/mtab` or `**/*.swp`'),
  oneFileSystem: z
    .boolean()
    .default(true)
    .describe(
      'Do not enter what is mounted below. With `false`: other file systems, too, but not those of the kernel (proc, ' +
        'sysfs), of other machines (NFS, CIFS), and nothing twice that is mounted in two places',
    ),
  repair: z
    .boolean()
    .default(false)
    .describe(
      'With `mode: enforce`, put mode, owner and group back to the baseline where that widens nothing',
    ),
  severity: severity.default('warning').describe('Of a change that is not dangerous in itself'),
})

export const config = z
  .strictObject({
    rules: z
      .array(rule)
      .default([])
      .describe('The policy. Where several rules match one entry, what a later rule says goes before'),
    trees: z
      .array(tree)
      .default([])
      .describe('Trees compared with a baseline, which the first run makes and `accept` renews'),
    pace,
    maxFindings: z
      .number()
      .int()
      .min(1)
      .max(2000)
      .default(500)
      .describe('More are counted in one summarizing finding; critical ones are listed up to 2000'),
  })
  .superRefine((value, context) => {
    if (value.rules.length + value.trees.length === 0) {
      context.addIssue({ code: 'custom', message: 'wanted at least one of `rules` and `trees`' })
    }
    const paths = value.trees.map(({ path }) => path)
    for (const [index, path] of paths.entries()) {
      if (paths.indexOf(path) === index) continue
      context.addIssue({
        code: 'custom',
        path: ['trees', index, 'path'],
        message: `"${path}" is there twice`,
      })
    }
  })

export type Config = z.output<typeof config>
export type RuleConfig = z.output<typeof rule>
export type TreeConfig = z.output<typeof tree>
