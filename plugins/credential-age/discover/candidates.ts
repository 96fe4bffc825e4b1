import type { z } from '../../../agent/contract/mod.ts'
import type { declarationSchema } from '../declaration.ts'

export type Proposal = z.input<typeof declarationSchema>

/** Where credentials usually lie, and what is proposed for a file that has any. */
export const CANDIDATES: { pattern: string; declare: (path: string) => Proposal }[] = [
  {
    pattern: '/etc/ssh/ssh_host_*_key',
    declare: (path) => ({ kind: 'ssh-key', path, maxAge: 'never', service: 'ssh.service' }),
  },
  ...['/root', '/home/*'].flatMap((home) => [
    {
      pattern: `${home}/.ssh/authorized_keys`,
      declare: (path: string): Proposal => ({ kind: 'ssh-key', path, maxAge: '365d' }),
    },
    {
      pattern: `${home}/.ssh/id_*`,
      declare: (path: string): Proposal => ({
        kind: 'ssh-key',
        path,
        maxAge: '365d',
        ...(path.endsWith('.pub') ? { maxMode: '0644' } : {}),
      }),
    },
    ...['.docker/config.json', '.git-credentials', '.netrc', '.pgpass'].map((name) => ({
      pattern: `${home}/${name}`,
      declare: (path: string): Proposal => ({ kind: 'login-file', path }),
    })),
    {
      pattern: `${home}/.config/*/{env,*.env}`,
      declare: (path: string): Proposal => ({ kind: 'env-file', path, maxMode: '0600' }),
    },
  ]),
  {
    pattern: '/etc/letsencrypt/live/*/fullchain.pem',
    declare: (path) => ({ kind: 'certificate', path, keyFile: 'privkey.pem', maxMode: '0644' }),
  },
  { pattern: '/etc/shadow', declare: (path) => ({ kind: 'account-passwords', path, maxAge: '365d' }) },
  {
    pattern: '/etc/{nginx,apache2,httpd,lighttpd}/**/{.htpasswd,*htpasswd*}',
    declare: (path) => ({ kind: 'password-file', path }),
  },
  {
    pattern: '/etc/*/{tokens,tokens.secret,*.tokens}',
    declare: (path) => ({ kind: 'token-file', path, maxMode: '0600' }),
  },
  { pattern: '/etc/*/{env,.env,*.env}', declare: (path) => ({ kind: 'env-file', path }) },
  { pattern: '/etc/default/*', declare: (path) => ({ kind: 'env-file', path }) },
  {
    pattern: '/etc/*/*.{yaml,yml,json,toml,ini}',
    declare: (path) => ({ kind: 'settings-file', path }),
  },
  { pattern: '/etc/systemd/system/*.service', declare: (path) => ({ kind: 'unit-file', path }) },
  {
    pattern: '/etc/systemd/system/*.service.d/*.conf',
    declare: (path) => ({ kind: 'unit-file', path }),
  },
  {
    pattern: '/etc/reeve/*.asc',
    declare: (path) => ({ kind: 'openpgp-key', path, remindBefore: ['60d', '30d', '7d'] }),
  },
]

/** Ports on which TLS is usual, with how it begins. */
export const TLS_PORTS: { port: number; startTls?: 'smtp' | 'imap' | 'postgres' }[] = [
  ...[443, 465, 636, 853, 990, 993, 995, 5061, 5671, 6443, 6514, 8443, 8883, 9443].map((port) => ({ port })),
  { port: 25, startTls: 'smtp' },
  { port: 587, startTls: 'smtp' },
  { port: 143, startTls: 'imap' },
  { port: 5432, startTls: 'postgres' },
]
