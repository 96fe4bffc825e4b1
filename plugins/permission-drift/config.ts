import { absolutePath, duration, isGlob, z } from '../../agent/contract/mod.ts'
import { explain, windows } from './cause/settings.ts'
import { ATTRIBUTES } from './change.ts'
import { inventories } from './inventory/settings.ts'
import { pace } from './pace.ts'
import { PRESET_NAMES, presetRules } from './policy/presets.ts'
import { type RuleConfig, rule, severity, splitRule } from './policy/rule-config.ts'

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
    presets: z
      .array(z.enum(PRESET_NAMES))
      .default([])
      .describe(
        'Rules that every host needs, before those of `rules`: `accounts` (passwd, shadow and their kin), `ssh` (keys, ' +
          'their directories, the configuration), `sudo`, `cron`, `units` (of systemd), `temporary` (/tmp, /var/tmp), ' +
          '`reeve` (its own files)',
      ),
    rules: z
      .array(rule)
      .default([])
      .transform((rules) => rules.flatMap(splitRule))
      .describe('The policy. Where several rules match one entry, what a later rule says goes before'),
    trees: z
      .array(tree)
      .default([])
      .describe('Trees compared with a baseline, which the first run makes and `accept` renews'),
    explain,
    windows,
    inventories,
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
    if (value.rules.length + value.trees.length + value.presets.length === 0 && !value.inventories) {
      context.addIssue({
        code: 'custom',
        message: 'wanted at least one of `presets`, `rules`, `trees` and `inventories`',
      })
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
export type TreeConfig = z.output<typeof tree>

/** The whole policy, presets first: what a later rule says goes before. Pure. */
export function policyOf({ presets, rules }: Pick<Config, 'presets' | 'rules'>): RuleConfig[] {
  return [...presetRules(presets), ...rules]
}
