import { definePlugin, type Permissions } from '../../agent/contract/mod.ts'
import { check } from './check.ts'
import { diff } from './commands/diff.ts'
import { drill } from './commands/drill.ts'
import { estimate } from './commands/estimate.ts'
import { exportInstructions } from './commands/export-instructions.ts'
import { forget } from './commands/forget.ts'
import { list } from './commands/list.ts'
import { prune } from './commands/prune.ts'
import { restore } from './commands/restore.ts'
import { show } from './commands/show.ts'
import { verify } from './commands/verify.ts'
import { type BackupConfig, configSchema } from './config.ts'
import { joinPermissions, permissionsOf } from './destination/open.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'backup',
  summary: 'Makes encrypted backups that plain gpg, zstd and tar can restore, and proves each of them',
  defaults: { schedule: '0 3 * * *', timeout: '6h' },
  rules,
  config: configSchema,
  permissions,
  check,
  apply: async (ctx) => (await import('./apply.ts')).apply(ctx),
  commands: {
    list,
    show,
    diff,
    verify,
    drill,
    restore,
    estimate,
    prune,
    forget,
    'export-instructions': exportInstructions,
  },
})

function permissions(config: BackupConfig): { check: Omit<Permissions, 'write'>; apply: Permissions } {
  const keyFiles = config.recipients.map(({ file }) => file)
  const { write: _none, ...look } = joinPermissions(
    config.destinations.map((destination) => permissionsOf(destination, 'read')),
  )
  return {
    check: joinPermissions([look, { read: keyFiles, capabilities: ['CAP_DAC_READ_SEARCH'] }]),
    apply: joinPermissions([
      ...config.destinations.map((destination) => permissionsOf(destination, 'write')),
      {
        read: [
          ...keyFiles,
          ...config.sources.paths,
          // SQLite looks for the log and the journal beside a database.
          ...config.sources.databases.map(directoryOf),
        ],
        write: config.spoolDirectory === undefined ? [] : [config.spoolDirectory],
        secrets: config.passphrase === undefined ? [] : [config.passphrase],
        capabilities: ['CAP_DAC_READ_SEARCH'],
      },
      ...programsOf(config).map(({ command, secrets, read, net }) => ({
        run: [command],
        secrets: Object.values(secrets),
        read,
        net,
      })),
    ]),
  }
}

function programsOf({ sources }: BackupConfig) {
  return [...sources.before, ...sources.dumps, ...sources.after]
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}
