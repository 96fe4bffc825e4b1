import type { ApplyContext } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import type { Progress } from './create.ts'
import type { BackupPlan } from './incremental/plan.ts'
import type { Records } from './records.ts'

type Context = Pick<ApplyContext<BackupConfig>, 'progress'>

/** What an entry takes besides its content: two headers, times, padding, and its line in the manifest. */
const ENTRY_BYTES = 2048

/** How far the archive is. How much of it there will be is known from the last full backup at best. */
export function archiveProgress(ctx: Context, records: Records, plan: BackupPlan): Progress {
  const last = records.all.findLast(({ chain, summary }) => chain.index === 0 && summary !== null)?.summary
  const expected = plan.kind === 'full' && last ? last.contentBytes + last.entries * ENTRY_BYTES : 0
  return (bytes, files) => {
    const isEstimate = expected > bytes
    ctx.progress(bytes, isEstimate ? expected : 0, 'backing up', { unit: 'bytes', files, isEstimate })
  }
}

/** How far reading back is. */
export function proofProgress(ctx: Context, storedBytes: number): (bytes: number) => void {
  return (bytes) => ctx.progress(bytes, storedBytes, 'proving', { unit: 'bytes' })
}
