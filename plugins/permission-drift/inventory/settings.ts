import { absolutePath, z } from '../../../agent/contract/mod.ts'

export const KINDS = [
  'set-id',
  'capabilities',
  'world-writable',
  'no-owner',
  'writable-path',
  'writable-program',
] as const
export type Kind = (typeof KINDS)[number]

/** Kinds of which a host has some that are right: the first run takes what it finds. */
export const TAKEN_AT_FIRST: ReadonlySet<Kind> = new Set(['set-id', 'capabilities'])

export const inventories = z
  .strictObject({
    kinds: z
      .array(z.enum(KINDS))
      .min(1)
      .default([...KINDS])
      .describe(
        '`set-id`: setuid and setgid programs; `capabilities`: programs with file capabilities; `world-writable`: ' +
          'files that everybody can write, and such directories without the sticky bit; `no-owner`: what belongs to ' +
          'no known user or group; `writable-path`: places in the PATH of root or another user that others can ' +
          'write; `writable-program`: what units and cron jobs of root run, and others can write',
      ),
    paths: z.array(absolutePath).min(1).default(['/']).describe('Where to look for the first four kinds'),
    exclude: z
      .array(z.string().startsWith('/'))
      .default(['/proc', '/sys', '/dev', '/run/user', '/var/lib/docker', '/var/lib/containers'])
      .describe('Paths or patterns that are left out, with all below them'),
    oneFileSystem: z
      .boolean()
      .default(false)
      .describe(
        'Stay on the file systems of `paths`. Else: also others, but none of the kernel or of another machine',
      ),
  })
  .optional()
  .describe('Lists of what gives power away, and what came to them since they were accepted')
export type Inventories = NonNullable<z.output<typeof inventories>>

/** Files that say where a PATH leads, or what runs as root. */
export const SOURCES = [
  '/etc/environment',
  '/etc/profile',
  '/etc/login.defs',
  '/etc/sudoers',
  '/etc/crontab',
  '/etc/cron.d',
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/etc/cron.weekly',
  '/etc/cron.monthly',
  '/var/spool/cron',
  '/{root,home/*}/.{profile,bash_profile,bashrc,zshenv,zprofile,zshrc}',
]
