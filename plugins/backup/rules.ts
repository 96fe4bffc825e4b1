import type { Rule } from '../../agent/contract/mod.ts'

export const rules = {
  'backup-due': { means: 'The newest proven backup is older than the interval', severity: 'warning' },
  'backup-overdue': {
    means: 'There is no proven backup that is younger than the longest age that was agreed',
    severity: 'critical',
  },
  'proof-failed': {
    means: 'A backup was written, but what is stored is not what was read at the source; it does not count',
    severity: 'critical',
  },
  'backup-missing': { means: 'A proven backup is not in its destination any more', severity: 'critical' },
  'backup-damaged': { means: 'A stored backup is not what was written', severity: 'critical' },
  'seal-missing': {
    means: 'The signed text beside a backup is gone, or not what was written: a forgery would not be noticed',
    severity: 'warning',
  },
  'source-missing': { means: 'A path that is to be backed up does not exist', severity: 'warning' },
  'source-is-link': {
    means: 'A path that is to be backed up is a symbolic link: only the link itself is in the backup',
    severity: 'warning',
  },
  'source-changed': { means: 'A file changed or vanished while it was backed up', severity: 'warning' },
  'source-unreadable': { means: 'Something in the sources could not be backed up', severity: 'warning' },
  'source-not-entered': {
    means: 'Another file system is mounted below a path that is backed up, and is not in the backup',
    severity: 'warning',
  },
  'source-too-large': {
    means: 'A file is larger than what is backed up, and was left out',
    severity: 'info',
  },
  'database-damaged': { means: 'A SQLite database did not pass its integrity check', severity: 'critical' },
  'dump-failed': {
    means: 'A dump failed, or cannot be whole: empty, without its end, or far smaller than the last one',
    severity: 'critical',
  },
  'command-failed': { means: 'A program that is to be run after a backup failed', severity: 'warning' },
  'recipient-unusable': {
    means:
      'A key to encrypt to is expired, revoked, too weak or not readable: no backup is made before it is replaced',
    severity: 'critical',
  },
  'recipient-expiring': { means: 'A key to encrypt to expires within 30 days', severity: 'warning' },
  'destination-unavailable': {
    means: 'A destination is not mounted, not reachable, or not the one that is meant: no backup gets there',
    severity: 'critical',
  },
  'delivery-failed': { means: 'A backup did not get to one of its destinations', severity: 'critical' },
  'retention-held': {
    means: 'Old backups are not removed for now: they cannot be, or it cannot be told which ones are old',
    severity: 'info',
  },
  'destination-exposed': {
    means: 'Others can delete or replace the backups in a destination',
    severity: 'warning',
  },
  'destination-full': { means: 'The next backup has hardly room in its destination', severity: 'warning' },
} as const satisfies Record<string, Rule>

export type RuleName = keyof typeof rules
