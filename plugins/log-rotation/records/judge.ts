import { type Finding, formatBytes } from '../../../agent/contract/mod.ts'
import { findRecord, type GenerationRecord, type Identity, looksSame, type Records } from './records.ts'

export interface KeptFile extends Identity {
  path: string
}

export interface Retention {
  keep: number
  maxAgeMs?: number | undefined
}

/**
 * What is no longer as it was proven, told without reading: a check is cheap, `reeve logs verify` reads. A record
 * of what would be gone by now anyway says nothing. Pure.
 */
export function judgeRecords(
  log: string,
  files: KeptFile[],
  records: GenerationRecord[],
  rule: Retention,
  nowMs: number,
): Finding[] {
  const found = new Map(files.map((file) => [findRecord(records, file), file] as const))
  return records.flatMap((record): Finding[] => {
    const file = found.get(record)
    const evidence = { log, fileSha256: record.fileSha256, rotated: new Date(record.rotatedMs).toISOString() }
    if (file) {
      if (looksSame(record, file)) return []
      const now = `it has ${formatBytes(file.size)}, and was last written at ${new Date(file.mtimeMs).toISOString()}`
      return [
        {
          rule: 'archive-changed',
          subject: file.path,
          severity: 'warning',
          summary: `${file.path} was changed after it was proven: ${now}`,
          remedy: `"reeve logs verify ${file.path}" says whether its content is whole; see who wrote to it`,
          evidence,
        },
      ]
    }
    if (isOutlived(record, records, rule, nowMs)) return []
    return [
      {
        rule: 'archive-missing',
        subject: `${log} of ${new Date(record.rotatedMs).toISOString()}`,
        severity: 'warning',
        summary: `A rotated log of ${log} is gone that nothing was to remove yet: ${formatBytes(record.bytesIn)} of its lines`,
        remedy: `Bring it back from a backup; the finding ends when as many newer ones were made as are kept`,
        evidence,
      },
    ]
  })
}

/** Whether a rotated log would have been removed by now: as many came after it as are kept, or it is too old. */
export function isOutlived(
  record: GenerationRecord,
  records: GenerationRecord[],
  { keep, maxAgeMs }: Retention,
  nowMs: number,
): boolean {
  if (maxAgeMs !== undefined && nowMs - record.mtimeMs > maxAgeMs) return true
  return records.filter(({ rotatedMs }) => rotatedMs > record.rotatedMs).length >= keep
}

/** Lets go of the records of what is gone, and would be by now. */
export function pruneOutlived(
  records: Records,
  log: string,
  files: KeptFile[],
  rule: Retention,
  nowMs: number,
): void {
  const all = records.ofLog(log)
  const present = new Set(files.map((file) => findRecord(all, file)))
  for (const record of all) {
    if (!present.has(record) && isOutlived(record, all, rule, nowMs)) records.drop(record)
  }
}
