import { ANY_ARGUMENTS, definePlugin, globBase, isGlob, JOURNALD_FILES } from '../../agent/contract/mod.ts'
import { reviewLogs } from './check.ts'
import { type Config, configSchema } from './config.ts'
import { FORWARDING_FILES, FORWARDING_LISTS } from './forwarding.ts'
import { JOURNAL_COMMAND, JOURNAL_DIRECTORIES } from './journal.ts'
import { JOURNAL, policiesFor } from './retention.ts'
import { rules } from './rules.ts'

export default definePlugin({
  name: 'log-review',
  summary:
    'Reads logs: failed logins, gaps, lines that say too little; and how long they are kept, and where',
  defaults: { schedule: '*/15 * * * *', timeout: '2m' },
  seesActions: true,
  rules,
  config: configSchema,
  permissions: (config) => {
    const { failedLogins, failures, logs, logrotate, forwarding, retention } = config
    const asksJournal = failedLogins.enabled || failures.some(({ unit }) => unit !== undefined)
    const keepsJournal = policiesFor(retention, JOURNAL).length > 0
    const files = [...failedLogins.files, ...failures.flatMap(({ log }) => log ?? [])]
    const asksRotation = asksLogrotate(config)
    const list = [
      ...logs
        .map(({ path }) => path)
        .concat(retention.flatMap(({ paths }) => paths))
        .filter(isGlob)
        .map(globBase),
      ...(keepsJournal ? [JOURNAL] : []),
      ...(forwarding === 'required' ? FORWARDING_LISTS : []),
    ]
    return {
      check: {
        ...(list.length > 0 ? { list: unique(list) } : {}),
        read: unique([
          // A log that was rotated since the last look.
          ...[
            ...logs.map(({ path }) => path),
            ...(failedLogins.enabled ? files : failures.flatMap(({ log }) => log ?? [])),
          ].flatMap((path) => [path, `${path}.1`]),
          ...(asksRotation ? [...logrotate.files, ...logrotate.includes] : []),
          ...(logs.some(({ rotatedWithin }) => rotatedWithin !== undefined) ? [logrotate.state] : []),
          ...(keepsJournal ? JOURNALD_FILES : []),
          ...(forwarding === 'required' ? FORWARDING_FILES : []),
          ...(asksJournal ? [...JOURNAL_DIRECTORIES, '/etc/machine-id'] : []),
        ]),
        ...(asksJournal ? { run: [[...JOURNAL_COMMAND, ANY_ARGUMENTS] as [string, ...string[]]] } : {}),
        // Logs of logins and the journal are for few.
        capabilities: ['CAP_DAC_READ_SEARCH'],
      },
    }
  },
  check: reviewLogs,
})

function asksLogrotate({ logs, retention }: Config): boolean {
  return (
    logs.some(({ rotated }) => rotated) ||
    retention.some(({ paths }) => paths.some((path) => path !== JOURNAL))
  )
}

function unique(paths: string[]): string[] {
  return [...new Set(paths)]
}
