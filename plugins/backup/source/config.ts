import { absolutePath, byteSize, duration, secretReference, z } from '../../../agent/contract/mod.ts'

const pattern = z.string().min(1).max(4096)

const argv = z
  .array(z.string().min(1).max(4096))
  .min(1)
  .refine(([program]) => program?.startsWith('/'), { message: 'wanted a program with its whole path first' })
  .transform(([program = '', ...rest]): [string, ...string[]] => [program, ...rest])

const needs = {
  secrets: z
    .record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), secretReference)
    .default({})
    .describe('Environment variables that the program gets, each with where its value is'),
  read: z.array(absolutePath).default([]).describe('Files and directories that the program may read'),
  net: z
    .array(z.string().min(1))
    .default([])
    .describe('What the program may connect to: "host:port", or "unix:/path" of a socket'),
  timeout: duration.prefault('1h').describe('The program is ended when it takes longer'),
}

const command = z
  .strictObject({ command: argv.describe('Program and arguments; no shell'), ...needs })
  .describe('A program that is run')

const dump = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, { message: 'wanted a file name such as "app.sql"' })
      .describe('Name of the file in the backup, below "reeve-dumps"'),
    command: argv.describe(
      'Program and arguments, no shell: its standard output is backed up, and not 0 is failure',
    ),
    minBytes: byteSize.default(1).describe('A dump that is smaller is taken for a failure'),
    endsWith: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('Text that stands in the last 4 KiB of a dump that is whole, such as "-- Dump completed"'),
    maxShrink: z
      .number()
      .min(1)
      .default(2)
      .describe('A dump that is smaller than the last one by more than this factor is taken for a failure'),
    ...needs,
  })
  .describe('A program whose output is backed up')

export const sourcesSchema = z
  .strictObject({
    paths: z.array(absolutePath).default([]).describe('Files and directories to back up'),
    include: z
      .array(pattern)
      .default([])
      .describe(
        'Only files that one of these patterns chooses, by itself or by a directory above; as in .gitignore',
      ),
    exclude: z
      .array(pattern)
      .default([])
      .describe(
        'What to leave out, as in .gitignore. "/x" is a path of the host, "x/y" one below a source, "x" any name',
      ),
    excludeCaches: z
      .boolean()
      .default(true)
      .describe('Leave out what is in directories with a CACHEDIR.TAG, but for that file'),
    maxFileBytes: byteSize.optional().describe('Leave out files that are larger, and say so'),
    oneFileSystem: z
      .boolean()
      .default(true)
      .describe('Do not enter other file systems that are mounted below a path'),
    databases: z
      .array(absolutePath)
      .default([])
      .describe(
        'SQLite databases, as they are between two commits while their programs go on. Below paths or not',
      ),
    dumps: z.array(dump).default([]).describe('Programs whose output is backed up, such as pg_dump'),
    before: z
      .array(command)
      .default([])
      .describe('Programs that are run before; when one fails, no backup is made'),
    after: z
      .array(command)
      .default([])
      .describe('Programs that are run after, also when the backup has failed'),
  })
  .refine(({ paths, databases, dumps }) => paths.length + databases.length + dumps.length > 0, {
    path: ['paths'],
    message: 'wanted at least one path, database or dump',
  })
  .refine(({ dumps }) => new Set(dumps.map(({ name }) => name)).size === dumps.length, {
    path: ['dumps'],
    message: 'wanted a name of its own for each dump',
  })
  .describe('What is backed up')

export type Sources = z.output<typeof sourcesSchema>
export type DumpConfig = Sources['dumps'][number]
export type CommandConfig = Sources['before'][number]
