import type { CommandContext } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'

/** From now on all others of the host come first, unless the job is told otherwise; a bare machine has no job. */
export function makeWay(ctx: Pick<CommandContext<BackupConfig>, 'config' | 'lowerPriority'>): void {
  if (ctx.config?.priority === 'idle') ctx.lowerPriority?.()
}
