import { stringify } from 'yaml'

/** Where a first configuration is for: the host, one person, or a throw-away trial. */
export interface Place {
  kind: 'host' | 'user' | 'trial'
  /** For `trial`: the directory that holds everything. */
  directory: string
  home: string
}

/** The text of a first configuration; pure. What a host does not have yet stands in it as a comment. */
export function firstConfig(place: Place): string {
  if (place.kind === 'trial') return trialConfig(place)
  const system = place.kind === 'host'
  return `# reeve: what looks after this ${system ? 'host' : 'account'}. "reeve config check" tells what is wrong with it.
# Every setting: "reeve config schema", "reeve plugins NAME". Secrets never stand here, only references
# (env:NAME, file:/path, credential:NAME). More files may lie in conf.d/ beside this one.

defaults:
  sandbox: always

jobs:
${indent(stringify({ permissions: permissionJob(place), credentials: credentialJob(place) }))}
  # Rotate logs. "observe" only tells what would be due.
  # logs:
  #   plugin: log-rotation
  #   schedule: "*/10 * * * *"
  #   mode: enforce
  #   config:
  #     sets:
  #       - { name: application, paths: ["/var/log/application/*.log"], interval: daily, size: 100M, keep: 90 }

  # Encrypted backups that this host cannot read itself, proven after each run.
  # backup:
  #   plugin: backup
  #   schedule: "30 2 * * *"
  #   mode: enforce
  #   config:
  #     sources: { paths: [/etc, /home] }
  #     recipients: [{ file: /etc/reeve/backup-recipient.asc }]
  #     destinations:
  #       - { name: disk, type: directory, directory: /srv/backup }
  #     retention: { keepLast: 7, weekly: 4, monthly: 12 }

# alerts:
#   channels:
#     - { name: operations, type: webhook, url: https://hooks.example.org/reeve, secret: env:REEVE_WEBHOOK_SECRET }
`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

function permissionJob({ kind, home }: Place) {
  const ssh = (directory: string) => [
    { path: directory, type: 'directory', mode: { atMost: '0700' }, ...absent(directory) },
    { path: `${directory}/{id_*,authorized_keys,config}`, mode: { atMost: '0600' } },
    { path: `${directory}/*.pub`, mode: { atMost: '0644' } },
  ]
  if (kind === 'user') {
    return {
      plugin: 'permission-drift',
      schedule: '*/30 * * * *',
      runOnStart: true,
      config: { rules: ssh(`${home}/.ssh`) },
    }
  }
  return {
    plugin: 'permission-drift',
    schedule: '*/30 * * * *',
    runOnStart: true,
    config: {
      rules: [
        ...ssh('/root/.ssh'),
        ...ssh('/home/*/.ssh'),
        {
          path: '/etc/{shadow,gshadow}',
          type: 'file',
          owner: 'root',
          group: ['root', 'shadow'],
          mode: { atMost: '0640' },
        },
        { path: '/etc/{passwd,group}', type: 'file', owner: 'root', group: 'root', mode: { atMost: '0644' } },
        { path: '/etc/sudoers.d/*', type: 'file', owner: 'root', group: 'root', mode: { atMost: '0440' } },
        { path: '/etc/cron.d/*', type: 'file', owner: 'root', group: 'root', mode: { atMost: '0644' } },
        { path: '/etc/ssh/ssh_host_*_key', type: 'file', owner: 'root', mode: { atMost: '0640' } },
        { path: '/run/docker.sock', type: 'socket', owner: 'root', mode: { atMost: '0660' }, missing: 'ok' },
      ],
      trees: [{ path: '/etc', exclude: ['/etc/mtab'] }],
    },
  }
}

function absent(path: string): Record<string, string> {
  return path.includes('*') ? {} : { missing: 'ok' }
}

function credentialJob({ kind, home }: Place) {
  const own = (directory: string) => [
    { kind: 'ssh-key', path: `${directory}/authorized_keys`, maxAge: '365d', missingOk: true },
    { kind: 'ssh-key', path: `${directory}/id_*`, maxAge: '365d', missingOk: true, maxMode: '0644' },
  ]
  const credentials =
    kind === 'user'
      ? own(`${home}/.ssh`)
      : [
          { kind: 'ssh-key', path: '/etc/ssh/ssh_host_*_key', maxAge: 'never', missingOk: true },
          ...own('/root/.ssh'),
          { kind: 'ssh-key', path: '/home/*/.ssh/authorized_keys', maxAge: '365d', missingOk: true },
          {
            kind: 'certificate',
            path: '/etc/letsencrypt/live/*/fullchain.pem',
            missingOk: true,
            maxMode: '0644',
          },
        ]
  const config = { credentials, ...(kind === 'user' && { exposure: ownHistories(home) }) }
  return { plugin: 'credential-age', schedule: '30 6 * * *', runOnStart: true, config }
}

/** A person sees no other one's shell histories. */
function ownHistories(home: string) {
  return { histories: [`${home}/.*_history`] }
}

/** Every job of the name, for real, on this host; all that is written stays below one directory. */
function trialConfig({ directory, home }: Place): string {
  const host = permissionJob({ kind: 'host', directory, home })
  const person = permissionJob({ kind: 'user', directory, home })
  const config = {
    stateDir: `${directory}/state`,
    api: { socket: `${directory}/reeve.sock` },
    jobs: {
      permissions: {
        ...host,
        config: {
          rules: [
            ...person.config.rules,
            ...host.config.rules.filter(({ path }) => path.startsWith('/etc') || path.startsWith('/run')),
          ],
          trees: [{ path: '/etc', exclude: ['/etc/mtab'] }],
        },
      },
      credentials: {
        plugin: 'credential-age',
        schedule: '30 6 * * *',
        config: {
          credentials: [
            { kind: 'ssh-key', path: `${home}/.ssh/authorized_keys`, maxAge: '365d', missingOk: true },
            {
              kind: 'ssh-key',
              path: '/etc/ssh/ssh_host_*_key.pub',
              maxAge: 'never',
              missingOk: true,
              maxMode: '0644',
            },
            {
              kind: 'certificate',
              path: '/etc/ssl/certs/ssl-cert-snakeoil.pem',
              missingOk: true,
              maxMode: '0644',
            },
            {
              kind: 'token-file',
              path: `${directory}/backup.passphrase`,
              name: 'passphrase of the trial backup',
            },
          ],
          exposure: ownHistories(home),
        },
      },
      logs: {
        plugin: 'log-rotation',
        schedule: '*/5 * * * *',
        mode: 'enforce',
        config: {
          sets: [
            {
              name: 'own',
              paths: [`${directory}/log/*.log`],
              size: 64,
              keep: 5,
              compress: 'gzip',
              method: 'copytruncate',
            },
          ],
        },
      },
      backup: {
        plugin: 'backup',
        schedule: '0 3 * * *',
        mode: 'enforce',
        config: {
          sources: {
            paths: [`${directory}/state`, `${directory}/reeve.yaml`],
            exclude: ['*.db-shm', '*.lock'],
          },
          passphrase: `file:${directory}/backup.passphrase`,
          destinations: [{ name: 'disk', type: 'directory', directory: `${directory}/backups` }],
        },
      },
      disk: {
        plugin: 'command',
        schedule: '*/15 * * * *',
        config: { argv: ['/bin/df', '-P', '/'], permissions: { read: ['/proc'] } },
      },
    },
  }
  return `# A trial of reeve: all that it writes stays below ${directory}.\n${stringify(config)}`
}
