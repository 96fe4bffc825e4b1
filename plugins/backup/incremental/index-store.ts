import { createHash } from 'node:crypto'
import type { HostWriter } from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import type { Recipients } from '../recipients.ts'
import { type IndexHeader, IndexWriter, type OpenIndex, openIndex } from './index-file.ts'

/** The index of a job, in its private state directory. */
export class IndexStore {
  private readonly path: string

  constructor(
    private readonly state: HostWriter,
    stateDir: string,
  ) {
    this.path = `${stateDir}/index.zst`
  }

  /** Undefined when there is none. Throws when it is damaged. */
  async open(): Promise<OpenIndex | undefined> {
    return this.state.stat(this.path) ? openIndex(this.state.open(this.path)) : undefined
  }

  /** What the index says of itself; undefined when there is none that can be used. */
  async header(): Promise<IndexHeader | undefined> {
    const index = await this.open().catch(() => undefined)
    await index?.entries.return(undefined)
    return index?.header
  }

  /** Takes the place of the present one when it is committed. */
  create(header: IndexHeader): IndexWriter {
    // Always the same name, so that what a run that died left does not stay.
    const temporaryPath = `${this.path}.new`
    if (this.state.stat(temporaryPath)) this.state.remove(temporaryPath)
    return new IndexWriter(this.state.create(this.path, { replace: true, temporaryPath }), header)
  }
}

/** Digest of what decides which entries are backed up and who can read them: when it differs, a full one is due. */
export function settingsDigest({ sources, passphrase }: BackupConfig, { usable }: Recipients): string {
  const fingerprints = usable.map(({ fingerprint }) => fingerprint).sort()
  return createHash('sha256')
    .update(JSON.stringify([sources, passphrase ?? null, fingerprints]))
    .digest('hex')
}
