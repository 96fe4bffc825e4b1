import { readlinkSync } from 'node:fs'
import type { DetailRequest, EntryDetails } from '../contract/entry-state.ts'
import { decodeName, encodeName } from '../lib/names.ts'
import { readExtendedAttributes, wantsAttributes } from './attribute-details.ts'
import { shortPath } from './file-hash.ts'
import { attempt } from './files.ts'
import { type HashJob, HashPool } from './hash-pool.ts'

/** The runtime lets garbage grow with the memory of the machine; a look at a million files would take 200 MB. */
const COLLECT_EVERY = 32_768

/** Reads what a stat does not say, of many entries at once. */
export class DetailReader {
  private sinceCollection = 0
  private readonly pool = new HashPool()

  constructor(private readonly root: string) {}

  /** For each request its details, or the error that kept them from being read. */
  async read(requests: readonly DetailRequest[], signal?: AbortSignal): Promise<(EntryDetails | Error)[]> {
    this.sinceCollection += requests.length
    if (this.sinceCollection > COLLECT_EVERY) {
      Bun.gc(true)
      this.sinceCollection = 0
    }
    const hashes = await this.hash(requests, signal)
    return requests.map((request, index) => {
      const sha256 = hashes[index]
      if (sha256 instanceof Error) return sha256
      try {
        return { ...this.readOne(request), ...(sha256 !== undefined && { sha256 }) }
      } catch (error) {
        if (error instanceof Error) return error
        throw error
      }
    })
  }

  private async hash(
    requests: readonly DetailRequest[],
    signal?: AbortSignal,
  ): Promise<(string | Error | undefined)[]> {
    const results = new Array<string | Error | undefined>(requests.length)
    const jobs: HashJob[] = []
    const indexes: number[] = []
    for (const [index, { path, type, ino, size, wanted }] of requests.entries()) {
      if (type !== 'file' || !wanted.includes('sha256')) continue
      jobs.push({ path: this.root + path, inode: ino, size })
      indexes.push(index)
    }
    if (jobs.length === 0) return results
    const hashed = await this.pool.hash(jobs, signal)
    for (const [position, index] of indexes.entries()) results[index] = hashed[position]
    return results
  }

  private readOne({ path, type, wanted }: DetailRequest): EntryDetails {
    const needsTarget = type === 'symlink' && wanted.includes('target')
    if (!needsTarget && !wantsAttributes(wanted)) return {}
    return attempt('look at', path, () => {
      const short = shortPath(this.real(path))
      try {
        return {
          ...(needsTarget && { target: decodeName(readlinkSync(short.path, 'buffer')) }),
          ...(wantsAttributes(wanted) && readExtendedAttributes(short.path, type, wanted)),
        }
      } finally {
        short.close()
      }
    })
  }

  private real(path: string): Buffer {
    return encodeName(this.root + path)
  }
}
