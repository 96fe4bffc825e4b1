import type { Artifact } from '../../../agent/contract/mod.ts'
import type { GenerationRecord } from './records.ts'

/** A record as what the store keeps of the run that made it. */
export function artifactOf(record: GenerationRecord, path: string): Artifact {
  return {
    kind: 'log-generation',
    path,
    bytes: record.fileBytes,
    sha256: record.fileSha256,
    data: {
      log: record.log,
      set: record.set,
      compression: record.compression,
      bytesIn: record.bytesIn,
      bytesArchived: record.bytesArchived,
      contentSha256: record.contentSha256,
      lastWrite: new Date(record.mtimeMs).toISOString(),
      reopened: record.reopened,
      writers: record.writers,
    },
  }
}
