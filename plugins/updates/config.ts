import { absolutePath, duration, z } from '../../agent/contract/mod.ts'

const pattern = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => {
    try {
      return new RegExp(text).exec('') !== undefined
    } catch {
      return false
    }
  }, 'wanted a regular expression')
  .describe('Regular expression; its first group, or all of it, is the version')

const program = z.strictObject({
  name: z.string().min(1).max(100).describe('What it is called'),
  installed: z
    .union([
      z.strictObject({
        package: z
          .string()
          .regex(/^[a-z0-9][a-z0-9.+-]*$/, 'wanted the name of a package')
          .describe('A package of dpkg'),
      }),
      z.strictObject({
        file: absolutePath.describe('A file with the version in it, or a pattern such as /home/*/.local/…'),
        pattern,
      }),
      z.strictObject({
        program: z
          .tuple([absolutePath], z.string().max(200))
          .describe('A program that prints its version, with arguments: [/usr/bin/caddy, version]'),
        pattern: pattern.default('\\d+(?:\\.\\d+)+[\\w.+~-]*'),
      }),
      z.strictObject({
        directory: absolutePath.describe(
          'A git work tree, or a directory with Python packages (a venv), or a pattern: for `maxAge` alone',
        ),
      }),
    ])
    .describe('Where its version is to be seen'),
  wanted: z
    .string()
    .regex(/^v?\d[\w.:+~-]*$/, 'wanted a version such as 1.4.0')
    .optional()
    .describe('The version that it must have at least'),
  maxAge: duration.optional().describe('How long ago its last update may be'),
  update: z.string().max(500).optional().describe('The command that updates it, for the remedy'),
})

export const configSchema = z.strictObject({
  updates: z
    .enum(['security', 'all', 'none'])
    .default('security')
    .describe('Which pending updates count: those from sources of security updates, from all, or none'),
  securityGrace: duration
    .prefault('7d')
    .describe('For how long a security update may be pending, since it was first seen. Default 7d'),
  listsMaxAge: duration
    .prefault('3d')
    .describe(
      'How old the knowledge of the package sources may be. Older, nothing is known of updates. Default 3d',
    ),
  rebootGrace: duration.prefault('7d').describe('For how long a restart may be due. Default 7d'),
  automatic: z
    .enum(['required', 'optional'])
    .default('required')
    .describe(
      'Whether security updates must be installed by themselves (unattended-upgrades, dnf-automatic)',
    ),
  automaticMaxAge: duration.prefault('7d').describe('How long ago their last run may be. Default 7d'),
  programs: z
    .array(program)
    .max(100)
    .default([])
    .describe('Programs that do not come with the updates of the system, and what is wanted of them'),
})

export type Config = z.output<typeof configSchema>
export type ProgramConfig = z.output<typeof program>
