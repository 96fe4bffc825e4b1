import {
  type CheckContext,
  type EntryDetails,
  type EntryState,
  errnoOf,
  records,
  type ScanBatch,
} from '../../../agent/contract/mod.ts'
import type { Attribute } from '../change.ts'
import { detailsFor, detailsOfType } from './differences.ts'
import type { RecordWriter } from './record-writer.ts'

const { WORD, rawName, decodeRecord, detailsOf } = records

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
    const states: EntryState[] = []
    const from = directory
    if (details.length > 0) {
      for (const { at, name } of entriesOf(batch)) {
        if (name !== undefined) directory = name
        else states.push(decodeRecord(batch, at, directory))
      }
    }
    const requests = states.flatMap((state) => {
      const wanted = detailsOfType(state.type, details)
      return wanted.length > 0 ? [{ ...state, wanted }] : []
    })
    const answers = requests.length > 0 ? await host.readDetails(requests, signal) : []
    const found = new Map<string, EntryDetails | Error>()
    for (const [index, { path }] of requests.entries()) found.set(path, answers[index] ?? {})
    directory = from
    let next = 0
    for (const { at, name } of entriesOf(batch)) {
      if (name !== undefined) {
        directory = name
        continue
      }
      const state = details.length > 0 ? states[next++] : undefined
      const answer = state && found.get(state.path)
      if (answer instanceof Error && errnoOf(answer) === 'ENOENT') continue // it vanished
      if (state && answer instanceof Error) on.blind(state.path, answer.message)
      const text = answer && !(answer instanceof Error) ? JSON.stringify(detailsOf(answer)) : ''
      writer.copy(batch, at, directory, text)
    }
    await on.batch()
  }
}

function* entriesOf({ words, bytes, end }: ScanBatch): Generator<{ at: number; name: string | undefined }> {
  for (let at = 0; at < end; at += (words[at] ?? 0) / 4) {
    const isDirectory = (words[at + WORD.mode] ?? 0) === 0
    yield { at, name: isDirectory ? rawName({ words, bytes }, at) : undefined }
  }
}
