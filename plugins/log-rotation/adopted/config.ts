import { absolutePath, z } from '../../../agent/contract/mod.ts'

const scriptPermissions = z
  .strictObject({
    run: z
      .array(absolutePath)
      .default([
        '/bin',
        '/sbin',
        '/usr/bin',
        '/usr/sbin',
        '/usr/lib',
        '/usr/local/bin',
        '/usr/local/sbin',
        '/etc/init.d',
      ])
      .describe('Programs, and directories of programs.'),
    read: z
      .array(absolutePath)
      .default(['/etc', '/proc', '/run', '/sys', '/usr'])
      .describe('Files and directories that they may read.'),
    write: z
      .array(absolutePath)
      .default([])
      .describe('Files and directories that they may change, beside `logrotateDirectories`.'),
    net: z
      .array(z.string())
      .default(['unix:/run/systemd/private', 'unix:/run/dbus/system_bus_socket'])
      .describe('"host:port", or "unix:/path".'),
    env: z.array(z.string()).default([]).describe('Environment variables that they get from reeve.'),
    capabilities: z
      .array(z.string())
      .default(['CAP_KILL'])
      .describe('Linux capabilities; CAP_KILL is to signal the writers of logs.'),
  })
  .prefault({})

/** What a job is told about configurations of logrotate that it follows. */
export const adoptedSettings = {
  logrotate: z
    .array(absolutePath)
    .default([])
    .describe(
      'Configuration files of logrotate, such as /etc/logrotate.conf, that are followed as they stand, with what ' +
        'they include. Take these logs from logrotate itself: systemctl disable --now logrotate.timer.',
    ),
  logrotateIncludes: z
    .array(absolutePath)
    .default(['/etc/logrotate.d'])
    .describe('What these files include: files and directories that may be read for that.'),
  logrotateDirectories: z
    .array(absolutePath)
    .default(['/var/log'])
    .describe(
      'Directories with the logs, and with what `olddir` names, of these files. A log elsewhere is not touched: it ' +
        'is told as blind, with the line to add.',
    ),
  logrotateScripts: scriptPermissions.describe(
    'What the scripts, compressors and mailers of these files may touch beside the logs. Each list that is given ' +
      'replaces its default. The scripts run as root where reeve may become root, in the jail.',
  ),
  logrotateState: absolutePath
    .default('/var/lib/logrotate/status')
    .describe(
      "logrotate's own state file. It is read once, when the job has no state of its own yet, so that nothing is " +
        'rotated twice; it is never written.',
    ),
}
