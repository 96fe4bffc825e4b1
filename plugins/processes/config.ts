import { z } from '../../agent/contract/mod.ts'

const processDemands = z
  .strictObject({
    name: z.string().min(1).max(100).describe('What it is, for the reader, and the subject of findings'),
    unit: z.string().min(1).optional().describe('Unit that it belongs to, or a pattern'),
    program: z.string().min(1).optional().describe('File that it executes, or a pattern: "/opt/app/**"'),
    command: z.string().min(1).optional().describe('Text in its command line'),
    missing: z
      .enum(['finding', 'ok'])
      .default('finding')
      .describe('What it is when no such process runs; `ok`: the rules about it do not apply then'),
    user: z.string().min(1).optional().describe('User that all its ids are of; "*" is any but root'),
    capabilities: z
      .array(z.string().regex(/^CAP_[A-Z_]+$/, 'wanted a capability such as CAP_NET_BIND_SERVICE'))
      .optional()
      .describe('Capabilities that it may have, and no others'),
    coreDumps: z.boolean().optional().describe('`false`: it must leave no core dump'),
    noNewPrivileges: z
      .boolean()
      .optional()
      .describe('`true`: programs that it executes must not be able to get more rights'),
    seccomp: z.boolean().optional().describe('`true`: its system calls must be filtered'),
  })
  .refine(
    ({ unit, program, command }) => (unit ?? program ?? command) !== undefined,
    'wanted `unit`, `program` or `command`',
  )

export const configSchema = z.strictObject({
  processes: z
    .array(processDemands)
    .max(200)
    .default([])
    .describe('Processes, and how they have to be; what is said of one has to be so for all that match'),
  ignoreReplaced: z
    .array(z.string().min(1))
    .default([])
    .describe('Files, or patterns, that may be replaced or removed while processes use them'),
  mayBeHidden: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Names of processes, or patterns, that not even CAP_SYS_PTRACE shows here, as in some containers: not blind for them',
    ),
  rootListeners: z
    .enum(['finding', 'ok'])
    .default('ok')
    .describe('What it is when a process of root listens on a TCP port'),
  allowRootListeners: z
    .array(z.string().min(1))
    .default([
      'ssh.service',
      'sshd.service',
      'ssh.socket',
      'init.scope',
      'rpcbind.service',
      'nginx.service',
      'apache2.service',
      'httpd.service',
      'haproxy.service',
      'postfix.service',
      'postfix@*.service',
      'dovecot.service',
      'docker.service',
      'containerd.service',
    ])
    .describe(
      'Units, or patterns, and programs by their path, that may: by default those that have to be root to begin with',
    ),
  browsers: z
    .boolean()
    .default(true)
    .describe('Look for browsers (Chromium and its kin) that run as root or without their sandbox'),
})

export type Config = z.output<typeof configSchema>
export type ProcessDemands = Config['processes'][number]
