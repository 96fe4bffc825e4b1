import { absolutePath, duration, isGlob, parsePrefix, z } from '../../agent/contract/mod.ts'

const directory = absolutePath.refine((path) => !isGlob(path), { message: 'wanted a path without wildcards' })

const MOUNT_FLAGS = ['nosuid', 'nodev', 'noexec', 'ro'] as const

const dnsServer = z
  .string()
  .refine((text) => parsePrefix(text) !== undefined, 'wanted an address or a prefix such as 10.0.0.0/8')

export const configSchema = z.strictObject({
  encrypted: z
    .array(directory)
    .max(100)
    .default([])
    .describe('Paths whose storage must be encrypted (dm-crypt, LUKS), such as /var/lib/rstmdb'),
  swap: z
    .enum(['any', 'encrypted', 'none'])
    .optional()
    .describe(
      'What swap space may be: `encrypted` also takes none and zram. Default: `encrypted` where `encrypted` names a path, else `any`',
    ),
  coreDumps: z
    .enum(['any', 'protected', 'none'])
    .default('protected')
    .describe(
      '`protected`: core dumps lie where their owner alone can read them. `none`: nothing of them is kept, since they hold decrypted secrets. `any`: they are not looked at',
    ),
  coreFiles: z
    .array(directory)
    .max(100)
    .default([])
    .describe('Directories of services: no core dump may lie in them, nor in the directories right below'),
  mounts: z
    .array(
      z.strictObject({
        path: directory.describe('Directory, such as /tmp'),
        flags: z
          .array(z.enum(MOUNT_FLAGS))
          .default(['nosuid', 'nodev'])
          .describe('Flags that its mount must have'),
        separate: z
          .boolean()
          .default(false)
          .describe('`true`: it must be a mount of its own. Else its flags are judged only where it is one'),
      }),
    )
    .max(50)
    .default([
      { path: '/tmp', flags: ['nosuid', 'nodev'], separate: false },
      { path: '/var/tmp', flags: ['nosuid', 'nodev'], separate: false },
      { path: '/dev/shm', flags: ['nosuid', 'nodev'], separate: false },
    ])
    .describe('Flags of mounts. Default: nosuid and nodev of /tmp, /var/tmp and /dev/shm'),
  sandbox: z
    .strictObject({
      required: z
        .boolean()
        .default(false)
        .describe('Whether services of this host need bubblewrap and user namespaces without privilege'),
      proof: directory
        .optional()
        .describe(
          'A file that the service user touches when it has made a sandbox: reeve itself, in its jail, can make none',
        ),
      proofMaxAge: duration.prefault('7d').describe('How old that file may be. Default 7d'),
    })
    .prefault({})
    .describe('Readiness for bubblewrap'),
  kernel: z
    .record(
      z.string().regex(/^[a-z0-9_]+(\.[A-Za-z0-9_*-]+)+$/, 'wanted a name such as kernel.kptr_restrict'),
      z.array(z.union([z.int(), z.string().min(1).max(200)])).max(20),
    )
    .default({})
    .describe(
      'Further kernel settings with the values that are right, over those that are judged anyway; none: it is not judged',
    ),
  dns: z
    .array(dnsServer)
    .max(100)
    .default([])
    .describe('DNS servers that may be asked: addresses and prefixes. Empty: any'),
  time: z
    .enum(['required', 'optional'])
    .default('required')
    .describe('Whether the clock must be kept by a time service'),
  maxClockError: duration
    .prefault('1s')
    .describe('How far the clock may be off, by what its time service knows. Default 1s'),
})

export type Config = z.output<typeof configSchema>
