import {
  ANY_ARGUMENTS,
  definePlugin,
  expandBraces,
  globBase,
  isGlob,
  type Permissions,
} from '../../agent/contract/mod.ts'
import { checkBackups } from './check.ts'
import { type Config, configSchema } from './config.ts'
import { UNPACKERS } from './contents.ts'

const BACKUPS = 'NIST-CSF-PR.IP-4'
const AT_REST = 'NIST-CSF-PR.DS-1'

export default definePlugin({
  name: 'backup-presence',
  summary: 'Finds backups that are missing, old, readable, incomplete or nowhere else, whatever makes them',
  defaults: { schedule: '@hourly', timeout: '15m' },
  seesActions: true,
  rules: {
    'backup-missing': { means: 'There is no backup', severity: 'critical', references: [BACKUPS] },
    'backup-old': {
      means: 'The newest backup is older than the work that may be lost',
      severity: 'critical',
      references: [BACKUPS],
    },
    'backup-size-odd': {
      means: 'The newest backup is empty, or of another size than those before',
      severity: 'warning',
      references: [BACKUPS],
    },
    'backup-not-encrypted': {
      means: 'A backup is not encrypted, whatever its name says',
      severity: 'critical',
      references: [AT_REST, 'CWE-311'],
    },
    'weak-backup-cipher': {
      means: 'A backup is encrypted in a way that does not hold, or whose change nobody notices',
      severity: 'warning',
      references: ['CWE-327', 'OWASP-A02:2021'],
    },
    'backup-open': {
      means: 'More users than intended have access to a backup',
      severity: 'critical',
      references: ['CWE-732'],
    },
    'plaintext-left': {
      means: 'Something readable lies with the backups',
      severity: 'critical',
      references: [AT_REST, 'CWE-311'],
    },
    'secret-in-backup': {
      means: 'A backup that is not encrypted holds secrets',
      severity: 'critical',
      references: [AT_REST, 'CWE-312'],
    },
    'backup-incomplete': {
      means: 'The newest backup lacks something that must be in it',
      severity: 'critical',
      references: [BACKUPS],
    },
    'offsite-missing': { means: 'There is no copy elsewhere', severity: 'critical', references: [BACKUPS] },
    'offsite-old': {
      means: 'The newest copy elsewhere is too old',
      severity: 'critical',
      references: [BACKUPS],
    },
    'offsite-differs': {
      means: 'The copy elsewhere is not what was made',
      severity: 'critical',
      references: [BACKUPS],
    },
    'offsite-same-disk': {
      means: 'The copies lie on the file system of the backups: who loses the one loses the other',
      severity: 'warning',
      references: [BACKUPS],
    },
    'restore-not-tested': {
      means: 'Nobody has tested of late that a backup can be restored',
      severity: 'warning',
      references: [BACKUPS],
    },
  },
  config: configSchema,
  permissions: (config) => ({ check: permissions(config) }),
  check: checkBackups,
})

function permissions({ backups, plaintext }: Config): Permissions {
  const files = backups
    .flatMap((backup) => [backup.files, ...(backup.offsite ? [backup.offsite.files] : [])])
    .flatMap(expandBraces)
  const lists = backups
    .filter(({ holds }) => holds.length > 0)
    .flatMap((backup) => expandBraces(backup.files).map((path) => `${path}${backup.listSuffix}`))
  return {
    list: [...new Set(files.filter(isGlob).map(globBase))],
    read: [...files, ...lists, ...plaintext.directories],
    run: Object.values(UNPACKERS).map(([program, ...words]) => [program, ...words, ANY_ARGUMENTS]),
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }
}
