import {
  type CheckContext,
  compareTreeOrder,
  type Detail,
  type EntryDetails,
  type EntryState,
  errnoOf,
  type FileType,
  records,
  type ScanBatch,
} from '../../../agent/contract/mod.ts'
import type { Attribute, Change } from '../change.ts'
import { detailsFor, detailsOfType, differences } from './differences.ts'
import type { RecordReader } from './record-reader.ts'

const { TYPE_BITS, TYPE_MASK, WORD, rawName, sameStat, decodeRecord, joinRaw } = records

/** At most so many entries wait for their details at a time. */
const MAX_WAITING = 4096

export interface ComparisonOptions {
  attributes: readonly Attribute[]
  /** Whether the contents of an entry that nobody touched are to be hashed all the same in this run. */
  isDue: (inode: number) => boolean
  /** Whether an entry of the baseline lies where this scan could not, or should not, look. */
  isUnseen: (path: string) => boolean
  onChange: (change: Change) => void
  /** The time or inode of an entry is another one, and nothing that is compared. */
  onTouched?: ((after: EntryState) => void) | undefined
  onBlind: (path: string, reason: string) => void
  /** What an earlier run found out about entries that are not as in the baseline. */
  recheck?: RecordReader | undefined
  /** The same for the next run. */
  onFound?: ((state: EntryState) => void) | undefined
}

interface Waiting {
  before: EntryState | undefined
  after: EntryState | undefined
  wanted: Detail[]
}

/**
 * Merges a scan with a baseline, both sorted, so that of either no more than some thousand entries are held. An
 * entry that nobody touched since costs a comparison of a few words; only of the others details are read.
 */
export class Comparison {
  /** Entries of the baseline that lie where the scan did not look. */
  unseen = 0
  /** Entries whose contents were read. */
  hashed = 0
  private directory = ''
  private waiting: Waiting[] = []
  private readonly details: Detail[]
  private readonly typesWithDetails: Set<number>

  constructor(
    private readonly host: CheckContext<unknown>['host'],
    private readonly baseline: RecordReader,
    private readonly options: ComparisonOptions,
    private readonly signal: AbortSignal,
  ) {
    this.details = detailsFor(options.attributes)
    const types = Object.entries(TYPE_BITS) as [FileType, number][]
    this.typesWithDetails = new Set(
      types.filter(([type]) => detailsOfType(type, this.details).length > 0).map(([, bits]) => bits),
    )
  }

  async add(batch: ScanBatch): Promise<void> {
    const { words } = batch
    for (let at = 0; at < batch.end; at += (words[at] ?? 0) / 4) {
      if ((words[at + WORD.mode] ?? 0) === 0) this.directory = rawName(batch, at)
      else if (!this.isUntouched(batch, at)) {
        await this.merge(batch, at)
        if (this.waiting.length >= MAX_WAITING) await this.settle()
      }
    }
    await this.settle()
  }

  /** After the last batch. */
  async finish(): Promise<void> {
    await this.removeUntil(undefined)
    await this.settle()
  }

  private isUntouched(batch: ScanBatch, at: number): boolean {
    const { baseline } = this
    if (baseline.atEnd || baseline.directory !== this.directory) return false
    if (!sameStat(batch.words, at, baseline.block.words, baseline.start)) return false
    if (this.details.length > 0) {
      const type = (batch.words[at + WORD.mode] ?? 0) & TYPE_MASK
      const holdsDetails = (baseline.block.words[baseline.start + WORD.detailsLength] ?? 0) > 0
      if (this.typesWithDetails.has(type) && !holdsDetails) return false
      if (this.details.includes('sha256') && this.isDue(batch, at)) return false
    }
    baseline.next()
    return true
  }

  private isDue({ words }: ScanBatch, at: number): boolean {
    if (((words[at + WORD.mode] ?? 0) & TYPE_MASK) !== TYPE_BITS.file) return false
    return this.options.isDue((words[at + WORD.inodeHigh] ?? 0) * 2 ** 32 + (words[at + WORD.inodeLow] ?? 0))
  }

  private async merge(batch: ScanBatch, at: number): Promise<void> {
    const { baseline } = this
    const path = joinRaw(this.directory, rawName(batch, at))
    await this.removeUntil(path)
    const after = decodeRecord(batch, at, this.directory)
    const isKnown = !baseline.atEnd && baseline.path() === path
    const wanted = detailsOfType(after.type, this.details)
    if (!isKnown) {
      this.waiting.push(this.withFound(batch, at, path, { before: undefined, after, wanted }))
      return
    }
    const before = baseline.entry()
    if (sameStat(batch.words, at, baseline.block.words, baseline.start)) {
      // Details cannot have changed without ctime: only what the baseline lacks, and contents that are due, are read.
      const kept = records.detailsOf(before)
      const isDue = this.details.includes('sha256') && this.isDue(batch, at)
      const lacking = wanted.filter((detail) => kept[detail] === undefined || (isDue && detail === 'sha256'))
      const item = { before, after: { ...after, ...kept }, wanted: lacking }
      if (lacking.length > 0) this.waiting.push(this.withFound(batch, at, path, item))
    } else this.waiting.push(this.withFound(batch, at, path, { before, after, wanted }))
    baseline.next()
  }

  /** With the details that an earlier run found, if nobody touched the entry since. */
  private withFound(batch: ScanBatch, at: number, path: string, item: Waiting): Waiting {
    const { recheck } = this.options
    if (!item.after || item.wanted.length === 0 || !recheck?.seek(path)) return item
    if (!sameStat(batch.words, at, recheck.block.words, recheck.start)) return item
    if (item.wanted.includes('sha256') && this.isDue(batch, at)) return item
    return { ...item, after: { ...item.after, ...records.detailsOf(recheck.entry()) }, wanted: [] }
  }

  private async removeUntil(path: string | undefined): Promise<void> {
    const { baseline } = this
    while (!baseline.atEnd && (path === undefined || compareTreeOrder(baseline.path(), path) < 0)) {
      const before = baseline.entry()
      if (this.options.isUnseen(before.path)) this.unseen++
      else this.waiting.push({ before, after: undefined, wanted: [] })
      baseline.next()
      if (this.waiting.length >= MAX_WAITING) await this.settle()
    }
  }

  /** Reads the details that are wanted, and tells all that waits, in order. */
  private async settle(): Promise<void> {
    const { waiting } = this
    this.waiting = []
    const requests = waiting.flatMap(({ after, wanted }) =>
      after && wanted.length > 0 ? [{ ...after, wanted }] : [],
    )
    const answers = requests.length > 0 ? await this.host.readDetails(requests, this.signal) : []
    let next = 0
    for (const item of waiting) {
      if (!item.after || item.wanted.length === 0) this.tell(item.before, item.after)
      else await this.tellWith(item, answers[next++] ?? {})
    }
  }

  private async tellWith({ before, after, wanted }: Waiting, answer: EntryDetails | Error): Promise<void> {
    if (!after) return
    if (wanted.includes('sha256')) this.hashed++
    if (!(answer instanceof Error)) {
      this.tell(before, { ...after, ...answer })
      return
    }
    try {
      // It vanished or was replaced while it was looked at: what is there now counts.
      const again = await this.host.examine(after.path, detailsOfType(after.type, this.details))
      this.tell(before, again)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') this.tell(before, undefined)
      else this.options.onBlind(after.path, error instanceof Error ? error.message : String(error))
    }
  }

  private tell(before: EntryState | undefined, after: EntryState | undefined): void {
    const { options } = this
    if (after && this.details.length > 0) options.onFound?.(after)
    if (before && after) {
      const attributes = differences(before, after, options.attributes)
      if (attributes.length > 0) options.onChange({ kind: 'changed', before, after, attributes })
      else options.onTouched?.(after)
    } else if (before) options.onChange({ kind: 'removed', before })
    else if (after) options.onChange({ kind: 'new', after })
  }
}
