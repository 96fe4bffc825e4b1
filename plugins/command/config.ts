import { absolutePath, duration, secretReference, z } from '../../agent/contract/mod.ts'

const program = z.tuple([absolutePath], z.string())
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'wanted the name of an environment variable')

export const configSchema = z
  .strictObject({
    kind: z
      .enum(['check', 'action'])
      .default('check')
      .describe(
        'check: the program looks, and its exit code says what it saw (0 OK, 1 warning, 2 critical, 3 unknown). ' +
          'action: the program does something that recurs; anything but exit code 0 is a failure. It runs only ' +
          'in a job with `mode: enforce`.',
      ),
    argv: program.describe('The program and its arguments; there is no shell.'),
    subject: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('What it is about, in findings and metrics. Default: the name of the job.'),
    timeout: duration
      .default(60_000)
      .describe("The program is killed after this time; keep it below the job's own timeout."),
    every: duration
      .optional()
      .describe(
        'For an action: do it when the last success is this long ago, and try again at every run until it ' +
          'succeeds. Default: at every run of the job.',
      ),
    environment: z
      .record(variable, z.string())
      .default({})
      .describe('Environment variables of the program, beside PATH, LANG and TMPDIR. No secrets here.'),
    secretEnvironment: z
      .record(variable, secretReference)
      .default({})
      .describe('Environment variables with secrets: env:NAME, file:/path or credential:NAME.'),
    permissions: z
      .strictObject({
        list: z.array(absolutePath).optional().describe('Directories whose names it may list.'),
        read: z.array(absolutePath).optional().describe('Files and directories that it may read.'),
        write: z
          .array(absolutePath)
          .optional()
          .describe('Files and directories that it may change. Only for an action.'),
        net: z.array(z.string()).optional().describe('"host:port", or "unix:/path".'),
        run: z.array(program).optional().describe('Further programs that it starts, by their path.'),
        env: z.array(variable).optional().describe('Environment variables that it gets from reeve.'),
        capabilities: z.array(z.string()).optional().describe('Linux capabilities, such as CAP_NET_RAW.'),
      })
      .default({})
      .describe('What the program may touch; nothing unless listed.'),
  })
  .refine((config) => config.kind === 'action' || config.permissions.write === undefined, {
    message: 'a check may change nothing: only an action has "write"',
    path: ['permissions', 'write'],
  })
  .refine((config) => config.kind === 'action' || config.every === undefined, {
    message: 'a check runs at every run of its job: only an action has "every"',
    path: ['every'],
  })

export type Config = z.output<typeof configSchema>
