import { type Command, type CommandResult, UserError } from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import type { Config } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { permissions } from '../permissions.ts'
import { findRepairs } from './find-repairs.ts'
import { RepairHistory } from './history.ts'

export const plan: Command<Config> = {
  summary: 'Say what a repair would do; "reeve repair JOB --dry-run" calls it',
  usage: '[--job NAME]',
  options: {},
  job: 'required',
  permissions: (config) => (config ? permissions(config).check : {}),
  async run(context): Promise<CommandResult> {
    const { config, host, state, stateDir, now } = context
    if (!config) throw new UserError('Cannot plan anything: name a job of permission-drift with --job')
    const history = RepairHistory.read(state, stateDir, now)
    const all = await findRepairs({ ...context, config }, { byPolicy: () => true, byBaseline: () => true })
    const steps = all.map(({ entry, after }) => {
      const subject = subjectOf(entry.path)
      return {
        path: subject,
        leftAlone: history.isLeftAlone(subject, entry) ?? null,
        before: {
          mode: octal(entry.mode),
          owner: host.userName(entry.uid),
          group: host.groupName(entry.gid),
        },
        after: { mode: octal(after.mode), owner: host.userName(after.uid), group: host.groupName(after.gid) },
      }
    })
    const lines = steps.map(({ path, leftAlone, before, after }) => {
      const change = (['mode', 'owner', 'group'] as const)
        .filter((key) => before[key] !== after[key])
        .map((key) => `${key} ${before[key]} to ${after[key]}`)
      return `${path}: ${change.join(', ')}${leftAlone ? ` (left alone: ${leftAlone})` : ''}`
    })
    if (lines.length === 0) lines.push('There is nothing that a repair would change')
    const isAny = steps.some(({ leftAlone }) => !leftAlone)
    return { exitCode: isAny ? 3 : 0, text: lines.join('\n'), json: { repairs: steps } }
  },
}
