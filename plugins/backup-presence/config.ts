import { absolutePath, byteSize, duration, fileMode, z } from '../../agent/contract/mod.ts'

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'wanted a name of letters, digits, ".", "_" and "-"')

const backup = z.strictObject({
  name: name.describe('What it is a backup of'),
  files: absolutePath.describe(
    'The files of this backup, as a pattern such as /var/backups/app/*.tar.gz.gpg: the newest is the one that counts',
  ),
  maxAge: duration
    .prefault('26h')
    .describe('How old the newest may be: how much work may be lost (RPO). Default 26h'),
  sizeBand: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .nullable()
    .default(50)
    .describe(
      'By how many percent its size may differ from the middle one of the seven before; null: by any',
    ),
  encrypted: z
    .boolean()
    .default(true)
    .describe(
      'Whether every one must be encrypted (OpenPGP, age, LUKS), by what is in it and not by its name',
    ),
  mode: fileMode.prefault('0600').describe('Permission bits that a file may have at most. Default "0600"'),
  holds: z
    .array(z.string().min(1).max(200))
    .max(100)
    .default([])
    .describe(
      'Names that must be in the newest, or directories with a slash at the end, such as wal/. Of an encrypted one they are looked up in the list beside it',
    ),
  listSuffix: z
    .string()
    .regex(/^[.\w-]{1,32}$/, 'wanted the end of a file name such as .list')
    .default('.list')
    .describe(
      'What is put behind the name of an encrypted backup for the file that lists it, a path a line (as tar -t prints). Default .list',
    ),
  offsite: z
    .strictObject({
      files: absolutePath.describe('The copies, as a pattern, on another file system that is mounted here'),
      maxAge: duration.prefault('48h').describe('How old the newest copy may be. Default 48h'),
      compare: z
        .enum(['size', 'content'])
        .default('size')
        .describe('How a copy of the same name is compared: by its size, or by SHA-256 too (once for each)'),
    })
    .optional()
    .describe('Copies elsewhere'),
  restoreTest: z
    .strictObject({
      file: absolutePath.describe('A file that the restore test writes anew, or touches, when it succeeded'),
      maxAge: duration.prefault('30d').describe('How old it may be. Default 30d'),
    })
    .optional()
    .describe('The proof that it can be restored'),
})

export const configSchema = z.strictObject({
  backups: z
    .array(backup)
    .min(1)
    .max(100)
    .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'wanted each name once')
    .describe('Backups that are made by whatever makes them'),
  plaintext: z
    .strictObject({
      directories: z
        .array(absolutePath)
        .max(100)
        .default([])
        .describe('Directories of backups in which, and below which, nothing may lie that is not encrypted'),
      names: z
        .array(z.string().min(1).max(100))
        .max(50)
        .default(['*.csv*', '*.tar*', '*.tgz*', '*.sql*', '*.dump*', '*.bak*'])
        .describe('Names that are looked at. What is encrypted, whatever it is called, is in order'),
      olderThan: duration
        .prefault('15m')
        .describe('What is younger may be on its way to be encrypted. Default 15m'),
    })
    .prefault({})
    .describe('Leftovers that anybody could read who gets at the disk'),
  secrets: z
    .array(z.string().min(1).max(200))
    .max(100)
    .default([
      '**/.env',
      '**/.env.{local,production,prod,staging}',
      '**/*.key',
      '**/*-key.pem',
      '**/id_{rsa,dsa,ecdsa,ed25519}',
      '**/data/secrets/**',
      '**/*.{p12,pfx,jks}',
      '**/{.netrc,.pgpass,.git-credentials}',
      '**/etc/{shadow,gshadow}',
    ])
    .describe('Names of secrets: in an archive that is not encrypted, none may be'),
  maxListed: byteSize
    .prefault('1G')
    .describe(
      'How much of an archive is unpacked at most to list it; what is behind that is not known. Default 1G',
    ),
})

export type Config = z.output<typeof configSchema>
export type BackupConfig = Config['backups'][number]
