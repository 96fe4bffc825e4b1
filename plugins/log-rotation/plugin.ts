import { definePlugin } from '../../agent/contract/mod.ts'
import { applyRotation } from './apply.ts'
import { checkLogs } from './check.ts'
import { list } from './commands/list.ts'
import { verify } from './commands/verify.ts'
import { configSchema } from './config.ts'
import { permissions } from './permissions.ts'

export default definePlugin({
  name: 'log-rotation',
  summary: 'Rotates logs so that no line is lost, and proves what each archive holds',
  defaults: { schedule: '* * * * *', timeout: '1h' },
  rules: {
    'rotation-due': { means: 'A log has reached its size or its interval', severity: 'info' },
    'rotation-unfinished': { means: 'A rotation was cut off and is to be completed', severity: 'warning' },
    'rotation-failed': { means: 'A log could not be rotated; it is as it was', severity: 'warning' },
    'lines-may-be-lost': {
      means: 'A log was written to in the very instant in which it was truncated',
      severity: 'info',
    },
    'after-rotate-failed': {
      means: 'The program that makes the writers reopen their logs did not succeed',
      severity: 'warning',
    },
    'writer-not-reopened': { means: 'A rotated log is still open for writing', severity: 'warning' },
    'compression-due': { means: 'A rotated log is to be compressed', severity: 'info' },
    'compression-failed': { means: 'A rotated log could not be compressed or proven', severity: 'warning' },
    'retention-exceeded': { means: 'A rotated log is kept for no longer', severity: 'info' },
    'removal-failed': { means: 'A rotated log that is to go could not be removed', severity: 'warning' },
    'log-missing': { means: 'A configured log does not exist', severity: 'warning' },
    'log-unsafe': {
      means: 'A log is a link, has several names, or lies where others could exchange it',
      severity: 'warning',
    },
    'name-collision': {
      means: 'What is no file has the name that a rotated log would get',
      severity: 'warning',
    },
    'logrotate-error': {
      means: 'A configuration of logrotate says something wrong; the block, or the file, is left out',
      severity: 'warning',
    },
    'logrotate-still-active': {
      means: 'logrotate itself is still started on this host, for the logs that reeve rotates',
      severity: 'warning',
    },
    'script-failed': {
      means: 'A script in a configuration of logrotate did not succeed',
      severity: 'warning',
    },
    'quota-exceeded': {
      means: 'A set of logs is larger than its quota, and nothing of it may go',
      severity: 'warning',
    },
    'disk-pressure': {
      means: 'A file system with logs has less room than it is to have',
      severity: 'warning',
    },
    'filesystem-full-soon': {
      means: 'A file system with logs will be full before long if it goes on like this',
      severity: 'warning',
    },
    'archive-changed': { means: 'A rotated log was changed after it was proven', severity: 'warning' },
    'archive-missing': { means: 'A rotated log that was to be kept is gone', severity: 'warning' },
    'log-in-two-sets': { means: 'Two rules match the same log', severity: 'warning' },
    'log-unmanaged': { means: 'No rule rotates a log', severity: 'info' },
    'log-grows-unmanaged': { means: 'A log grows, and nobody rotates it', severity: 'warning' },
    'rule-matches-nothing': { means: 'A rule is about logs that do not exist', severity: 'info' },
    'retention-too-short': { means: 'A rule keeps a log shorter than a policy demands', severity: 'warning' },
    'retention-too-long': { means: 'A rule keeps a log longer than a policy allows', severity: 'warning' },
    'retention-conflict': { means: 'Two policies about a log cannot both be met', severity: 'warning' },
    'journal-retention': {
      means: 'The journal of systemd is kept shorter or longer than a policy says',
      severity: 'warning',
    },
  },
  config: configSchema,
  permissions,
  check: checkLogs,
  apply: applyRotation,
  commands: { list, verify },
})
