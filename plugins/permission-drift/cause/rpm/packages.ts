import { gunzipSync, gzipSync } from 'node:zlib'
import { type EntryState, type FileType, type HostWriter, z } from '../../../../agent/contract/mod.ts'
import type { Cause, Change } from '../../change.ts'
import { generatorOf } from '../dpkg/generated.ts'
import { contentDigest, type Evidence, isData, within } from '../evidence.ts'
import { GHOST, type RpmFile } from './query.ts'

/** S_IFMT of the kernel's include/uapi/linux/stat.h. */
const TYPES = new Map<number, FileType>([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o010000, 'fifo'],
  [0o060000, 'block-device'],
  [0o020000, 'character-device'],
])
/** Around the time at which rpm notes a package as installed, its scripts and triggers run. */
const TRANSACTION_NS = 600_000_000_000n
const MAX_BYTES = 512 * 1024 * 1024

const snapshot = z.strictObject({
  version: z.literal(1),
  /** Paths by "NAME VERSION". */
  owners: z.record(z.string(), z.array(z.string())),
})

/**
 * Changes that rpm made. rpm knows mode, owner, digest and link of all that it ships: what is there has to be just
 * that, whenever it came. What is gone has to have been of a package that is gone or was replaced.
 */
export class RpmPackages {
  private before: Map<string, string> | undefined

  constructor(
    private readonly evidence: Evidence,
    private readonly place: { state: HostWriter; stateDir: string },
    private readonly files: ReadonlyMap<string, RpmFile[]>,
    private readonly isWanted: (path: string) => boolean,
  ) {}

  explain(change: Change): Cause | undefined {
    if (change.kind === 'removed') return this.explainRemoval(change.before.path)
    const { after } = change
    const shipped = this.files.get(after.path)
    if (shipped) {
      const file = shipped.find((one) => this.isAsShipped(one, after))
      return file && { kind: 'package', detail: `rpm: ${file.package} ${file.version}` }
    }
    const generator = generatorOf(after.path, () => true)
    if (!generator || !isData(after) || !this.isInTransaction(after.ctimeNs)) return undefined
    return { kind: 'package', detail: `rpm: ${generator}` }
  }

  remember(): void {
    const owners: Record<string, string[]> = {}
    for (const [path, files] of this.files) {
      if (!this.isWanted(path)) continue
      const [file] = files
      const key = `${file?.package} ${file?.version}`
      owners[key] ??= []
      owners[key].push(path)
    }
    const body = JSON.stringify({ version: 1, owners } satisfies z.input<typeof snapshot>)
    const bytes = gzipSync(`${this.evidence.fingerprint(body)}\n${body}`, { level: 1 })
    const { state, stateDir } = this.place
    const path = pathOf(stateDir)
    if (
      state.stat(path)?.size === bytes.length &&
      Buffer.compare(state.read(path, { maxBytes: MAX_BYTES }), bytes) === 0
    )
      return
    state.writeFile(path, bytes, { replace: true })
  }

  private isAsShipped(file: RpmFile, after: EntryState): boolean {
    const { host } = this.evidence
    if (TYPES.get(file.mode & 0o170000) !== after.type || after.capabilities) return false
    if (host.userId(file.user) !== after.uid || host.groupId(file.group) !== after.gid) return false
    if (after.type === 'symlink') return file.target === after.target
    if ((file.mode & 0o7777) !== after.mode) return false
    if (after.type !== 'file') return true
    // Of what is made at run time rpm has no digest, and says nothing of what is in it.
    if ((file.flags & GHOST) !== 0 || !file.algorithm) return this.isInTransaction(after.ctimeNs)
    return contentDigest(this.evidence.host, file.algorithm, after) === file.digest
  }

  private isInTransaction(timeNs: bigint): boolean {
    for (const [file] of this.files.values()) {
      const installedNs = BigInt(file?.installedMs ?? 0) * 1_000_000n
      if (within(timeNs, { startNs: installedNs - TRANSACTION_NS, endNs: installedNs + TRANSACTION_NS }))
        return true
    }
    return false
  }

  private explainRemoval(path: string): Cause | undefined {
    if (this.files.has(path)) return undefined
    this.before ??= this.recall()
    const owner = this.before.get(path)
    if (owner === undefined) return undefined
    return { kind: 'package', detail: `rpm: ${owner} removed or replaced` }
  }

  private recall(): Map<string, string> {
    const { state, stateDir } = this.place
    const owners = new Map<string, string>()
    const path = pathOf(stateDir)
    if (!state.stat(path)) return owners
    try {
      const text = gunzipSync(state.read(path, { maxBytes: MAX_BYTES })).toString('utf8')
      const end = text.indexOf('\n')
      const body = text.slice(end + 1)
      if (text.slice(0, end) !== this.evidence.fingerprint(body)) return owners
      for (const [owner, paths] of Object.entries(snapshot.parse(JSON.parse(body)).owners)) {
        for (const owned of paths) owners.set(owned, owner)
      }
    } catch {
      // Damaged: what is gone is then told.
    }
    return owners
  }
}

function pathOf(stateDir: string): string {
  return `${stateDir}/packages-rpm.gz`
}
