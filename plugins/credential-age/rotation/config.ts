import { absolutePath, duration, z } from '../../../agent/contract/mod.ts'

const argv = z
  .tuple([absolutePath], z.string().max(4096))
  .describe('Program with its arguments, run without a shell')

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'wanted the name of a variable')

/** How a credential is rotated; for kinds of which reeve can write a new one. */
export const rotation = z
  .strictObject({
    automatic: z
      .boolean()
      .default(false)
      .describe(
        '`true`: rotate by itself when it is due (the job must `enforce`). Default: only by `reeve credentials rotate`',
      ),
    entry: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        'Which of the file: the variable of an env-file, the `#` name of a token-file. Default: the only one',
      ),
    generate: argv
      .optional()
      .describe('Prints the new value on its standard output. Default: 32 random bytes as 64 hex digits'),
    issue: argv
      .optional()
      .describe(
        'For a certificate: writes a new one (PEM, with chain) to the path {certificate} and its key to {keyFile}; both words are replaced in the arguments',
      ),
    renew: argv
      .optional()
      .describe('For a certificate: an ACME client that renews it in its own place, such as certbot renew'),
    deliver: z
      .array(
        z.strictObject({
          path: absolutePath.describe('Env-file or file of a client, which must exist'),
          key: variable.optional().describe('Variable to set; none: the value is the whole file'),
          reload: z.array(argv).max(10).default([]).describe('What makes this client read it'),
        }),
      )
      .max(20)
      .default([])
      .describe('Clients on this host that get the new value, in plain'),
    reload: z
      .array(argv)
      .max(10)
      .default([])
      .describe(
        'What makes the service read the new value: after it was added, and after the old one was removed',
      ),
    verify: argv
      .optional()
      .describe(
        'Says by exit code 0 that a value is accepted; gets it on standard input, followed by a newline. Used for the new one (must be accepted) and, after the overlap, for the old one (must be refused)',
      ),
    refusedExitCodes: z
      .array(z.number().int().min(1).max(255))
      .min(1)
      .default([1])
      .describe('Exit codes of `verify` that say "refused"; any other is no answer. Default 1'),
    probe: z
      .strictObject({
        host: z.string().min(1).max(253).describe('Name or address'),
        port: z.number().int().min(1).max(65_535).describe('TCP port'),
        serverName: z.string().min(1).max(253).optional().describe('Name to ask for (SNI)'),
        startTls: z.enum(['smtp', 'imap', 'postgres']).optional().describe('Begin in clear'),
      })
      .optional()
      .describe('For a certificate: the port that must serve the new one'),
    net: z
      .array(z.string().regex(/^(unix:\/.+|.+:\d{1,5})$/, 'wanted "host:port" or "unix:/path"'))
      .max(20)
      .default([])
      .describe(
        'Where these programs may connect to, "host:port" or "unix:/path". Default: nowhere, but systemctl reaches systemd',
      ),
    write: z
      .array(absolutePath)
      .max(20)
      .default([])
      .describe('Further directories in which these programs write, such as /etc/letsencrypt'),
    rotateBefore: duration
      .prefault('7d')
      .describe('With `automatic`: how long before it is due or expires. Default 7d'),
    overlap: duration.prefault('24h').describe('How long old and new are both kept. Default 24h'),
    timeout: duration.prefault('60s').describe('For each program. Default 60s'),
  })
  .describe('How it is rotated')

export type Rotation = z.output<typeof rotation>
