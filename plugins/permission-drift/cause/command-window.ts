import { type Command, type CommandResult, formatDuration, UserError } from '../../../agent/contract/mod.ts'
import { personOf } from '../commands/choose.ts'
import type { Config } from '../config.ts'
import { readWindows, type Window, writeWindows } from './windows.ts'

const DEFAULT_MS = 3_600_000
const MAX_MS = 7 * 86_400_000
const SHOWN = 20

export const window: Command<Config> = {
  summary: 'Open or close a time in which changes of the trees are meant, or list them',
  usage: '[--job NAME] open --reason TEXT [--for 2h] | close | list',
  options: {
    reason: { type: 'string', means: 'Why, kept in the history of the baseline' },
    for: { type: 'string', means: 'When it closes by itself: 30m, 2h, 1d. Default 1h, at most 7d' },
  },
  job: 'required',
  permissions: () => ({}),
  async run(context): Promise<CommandResult> {
    const { args, state, stateDir, fingerprint, now } = context
    const [verb = 'list', ...rest] = args.positionals
    if (rest.length > 0) throw new UserError(`Cannot take "${rest.join(' ')}" after "${verb}"`)
    const windows = readWindows(state, stateDir, fingerprint)
    const open = windows.findLast((one) => isOpen(one, now))
    switch (verb) {
      case 'open': {
        const { reason } = args.values
        if (typeof reason !== 'string' || reason === '') throw new UserError('Say why: --reason TEXT')
        if (open) throw new UserError(`One is open already, until ${iso(open.untilMs)}: ${open.reason}`)
        const untilMs = now.getTime() + lengthOf(args.values.for)
        const opened: Window = {
          openedMs: now.getTime(),
          untilMs,
          closedMs: null,
          reason,
          by: personOf(context),
        }
        writeWindows(state, stateDir, fingerprint, [...windows, opened])
        return present(
          [opened],
          `Open until ${iso(untilMs)}: changes until then, or until you close it, are accepted`,
        )
      }
      case 'close': {
        if (!open) throw new UserError('There is no open window')
        const closed = { ...open, closedMs: now.getTime() }
        writeWindows(
          state,
          stateDir,
          fingerprint,
          windows.map((one) => (one === open ? closed : one)),
        )
        const took = formatDuration(now.getTime() - open.openedMs)
        return present([closed], `Closed after ${took}: what changes from now on is told again`)
      }
      case 'list': {
        const lines = windows.slice(-SHOWN).map((one) => {
          const end = isOpen(one, now)
            ? `open until ${iso(one.untilMs)}`
            : `to ${iso(Math.min(one.untilMs, one.closedMs ?? one.untilMs))}`
          return `${iso(one.openedMs)} ${end}, ${one.by}: ${one.reason}`
        })
        return present(windows, lines.length > 0 ? lines.join('\n') : 'No window was opened yet')
      }
      default:
        throw new UserError(`There is no "window ${verb}"; wanted open, close or list`)
    }
  },
}

function isOpen({ untilMs, closedMs }: Window, now: Date): boolean {
  return closedMs === null && untilMs > now.getTime()
}

function lengthOf(text: unknown): number {
  if (text === undefined) return DEFAULT_MS
  const match = typeof text === 'string' ? /^(\d+)(m|h|d)$/.exec(text) : null
  const unit = { m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''] ?? 0
  const length = Number(match?.[1] ?? 0) * unit
  if (length > 0 && length <= MAX_MS) return length
  throw new UserError(`Cannot use "--for ${String(text)}": wanted a time such as 30m, 2h or 1d, at most 7d`)
}

function present(windows: Window[], text: string): CommandResult {
  return { exitCode: 0, text, json: { windows: windows.map((one) => ({ ...one })) } }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
