import { absolutePath, byteSize, z } from '../../../agent/contract/mod.ts'

/** Where logs are looked for that nobody rotates. */
export const unmanagedSettings = z.strictObject({
  roots: z
    .array(absolutePath)
    .min(1)
    .default(['/var/log'])
    .describe('Directories below which every file is a log.'),
  ignore: z
    .array(absolutePath)
    .default([])
    .describe('Files and directories that are none, with wildcards; a directory stands for all below it.'),
  growsPerDay: byteSize
    .default(1_048_576)
    .describe('A log that nobody rotates and that grows faster than this is a warning, else it is a note.'),
  logrotate: z
    .array(absolutePath)
    .default(['/etc/logrotate.conf'])
    .describe(
      'What logrotate itself follows, for a job that does not: as long as the host still starts logrotate, what it ' +
        'rotates is not unmanaged, and what a set of this job rotates as well is told.',
    ),
})
