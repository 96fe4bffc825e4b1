import { absolutePath, duration, secretReference, z } from '../../agent/contract/mod.ts'
import { destinationSchema, locationOf, retentionSchema } from './destination/config.ts'
import { sourcesSchema } from './source/config.ts'

const recipient = z
  .strictObject({
    file: absolutePath.describe('File with OpenPGP public keys, armoured or binary'),
    fingerprint: z
      .string()
      .regex(/^[0-9a-fA-F]{40}$/, { message: 'wanted the 40 hexadecimal digits of a fingerprint' })
      .transform((text) => text.toLowerCase())
      .optional()
      .describe('The one key of the file that is meant. With it, a key file that was swapped is refused'),
  })
  .describe('A public key that can decrypt the backups')

export const configSchema = z
  .strictObject({
    sources: sourcesSchema,
    recipients: z
      .array(recipient)
      .default([])
      .describe('Public keys to encrypt to. This host then cannot read its own backups'),
    passphrase: secretReference
      .optional()
      .describe('A passphrase that can decrypt the backups too, or alone where there is no recipient'),
    destinations: z
      .array(destinationSchema)
      .min(1)
      .max(16)
      .describe(
        'Where backups go: each to every one of them. Three copies, in two kinds of place, one elsewhere',
      ),
    compressionLevel: z
      .number()
      .int()
      .min(1)
      .max(19)
      .default(2)
      .describe(
        'Level of Zstandard, from 1 (quick) to 19 (small). 3 takes two thirds more time for 2 % less',
      ),
    interval: duration
      .prefault('20h')
      .describe('A backup is due when the newest proven one is older. 20h fits one run each night'),
    maxAge: duration
      .prefault('2d')
      .describe('Without a proven backup younger than this the host counts as unprotected'),
    incremental: z
      .strictObject({
        fullEvery: duration.prefault('7d').describe('A full backup is made when the last one is older'),
        maxChain: z
          .number()
          .int()
          .min(1)
          .max(999)
          .default(30)
          .describe('Backups of changes that follow a full one at most; each of them is needed to restore'),
      })
      .optional()
      .describe('Between full backups only changes are backed up. Without it every backup is a full one'),
    retention: retentionSchema.prefault({}),
    priority: z
      .enum(['idle', 'low'])
      .default('idle')
      .describe(
        '`idle`: a backup gets processor and disk only while nobody else wants them (SCHED_IDLE, the idle class of ' +
          'ionice), once what others may wait for is done: `before` and `databases`; `low`: behind others (nice 10)',
      ),
    spoolDirectory: absolutePath
      .optional()
      .describe(
        'Where a backup waits, encrypted, when no destination is a directory. Default: the state directory of the job',
      ),
  })
  .refine(({ recipients, passphrase }) => recipients.length > 0 || passphrase !== undefined, {
    path: ['recipients'],
    message: 'wanted at least one recipient or a passphrase: a backup is never written unencrypted',
  })
  .refine(({ interval, maxAge }) => interval < maxAge, {
    path: ['maxAge'],
    message: 'wanted a longer time than the interval',
  })
  .superRefine(({ destinations }, context) => {
    for (const [index, destination] of destinations.entries()) {
      const before = destinations.slice(0, index)
      const isNameTaken = before.some(({ name }) => name === destination.name)
      if (!isNameTaken && !before.some((other) => locationOf(other) === locationOf(destination))) continue
      context.addIssue({
        code: 'custom',
        path: ['destinations', index],
        message: isNameTaken ? 'wanted another name: it is taken' : 'wanted another place: it is named above',
      })
    }
  })

export type BackupConfig = z.output<typeof configSchema>
