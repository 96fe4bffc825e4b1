import {
  type CheckContext,
  type Detail,
  type DetailRequest,
  errnoOf,
  records,
  type ScanBatch,
} from '../../../agent/contract/mod.ts'
import type { Attribute } from '../change.ts'
import { detailsFor, detailsOfType } from './differences.ts'
import type { RecordWriter } from './record-writer.ts'

const { WORD, rawName, decodeRaw, joinRaw, typeOf } = records

/** Writes the entries of a scan as they are, with the details that the attributes need. */
export async function writeBaseline(
  { host, signal }: Pick<CheckContext<unknown>, 'host' | 'signal'>,
  batches: AsyncIterable<ScanBatch>,
  attributes: readonly Attribute[],
  writer: RecordWriter,
  on: { blind: (path: string, reason: string) => void; batch: () => Promise<void> },
): Promise<void> {
  const details = detailsFor(attributes)
  let directory = ''
  for await (const batch of batches) {
    // First what the entries of a batch need beside a stat, all at once; then their records, in order.
    const requests: DetailRequest[] = []
    let place = directory
    for (const { at, name } of details.length > 0 ? entriesOf(batch) : []) {
      if (name !== undefined) place = name
      else requests.push(requestOf(batch, at, place, details))
    }
    const answers = requests.length > 0 ? await host.readDetails(requests, signal) : []
    let next = 0
    for (const { at, name } of entriesOf(batch)) {
      if (name !== undefined) {
        directory = name
        continue
      }
      const answer = answers[next++]
      if (answer instanceof Error) {
        if (errnoOf(answer) === 'ENOENT') continue // it vanished
        on.blind(requests[next - 1]?.path ?? '', answer.message)
      }
      const isEmpty = !answer || answer instanceof Error || (requests[next - 1]?.wanted.length ?? 0) === 0
      writer.copy(batch, at, directory, isEmpty ? '' : JSON.stringify(answer))
    }
    await on.batch()
  }
}

/** Without an object of the whole entry: there may be millions. */
function requestOf(
  { words, bytes }: ScanBatch,
  at: number,
  directory: string,
  details: readonly Detail[],
): DetailRequest {
  const word = (index: number) => words[at + index] ?? 0
  const type = typeOf(word(WORD.mode))
  return {
    path: decodeRaw(joinRaw(directory, rawName({ words, bytes }, at))),
    type,
    ino: word(WORD.inodeHigh) * 2 ** 32 + word(WORD.inodeLow),
    size: word(WORD.sizeHigh) * 2 ** 32 + word(WORD.sizeLow),
    wanted: detailsOfType(type, details),
  }
}

function* entriesOf({ words, bytes, end }: ScanBatch): Generator<{ at: number; name: string | undefined }> {
  for (let at = 0; at < end; at += (words[at] ?? 0) / 4) {
    const isDirectory = (words[at + WORD.mode] ?? 0) === 0
    yield { at, name: isDirectory ? rawName({ words, bytes }, at) : undefined }
  }
}
