import { distrust, type Remembered } from '../memory.ts'
import { type AcceptContext, appendHistory } from './accept.ts'
import { BaselineError, filesOf } from './format.ts'
import { completingRecord, type HistoryRecord, readHistory } from './history.ts'
import { openRecords, type RecordReader } from './record-reader.ts'

export interface OpenBaseline {
  reader: RecordReader
  history: HistoryRecord[]
}

/**
 * The baseline of a tree, verified: by the key of this host, by what was seen last, and by its history. Undefined
 * when there is none. Throws BaselineError for one that cannot be trusted.
 */
export function openBaseline(
  context: AcceptContext,
  tree: string,
  remembered: Remembered | undefined,
): OpenBaseline | undefined {
  const files = filesOf(context.stateDir, tree)
  if (!context.state.stat(files.baseline)) return undefined
  const reader = openRecords(context.state, files.baseline, context.fingerprint)
  try {
    const reason = distrust(tree, reader.header, reader.trailer, remembered)
    if (reason) throw new BaselineError(reason)
    return { reader, history: verifiedHistory(context, reader, remembered) }
  } catch (error) {
    reader.close()
    throw error
  }
}

function verifiedHistory(
  context: AcceptContext,
  { header, trailer }: RecordReader,
  remembered: Remembered | undefined,
): HistoryRecord[] {
  const { history: file } = filesOf(context.stateDir, header.tree)
  const history = readHistory(context.state, file, context.fingerprint)
  const isContinued = history.some(
    ({ seal, how, generation }) =>
      seal === remembered?.history || (how === 'anew' && generation > (remembered?.generation ?? 0)),
  )
  if (remembered?.history !== undefined && !isContinued) {
    throw new BaselineError('lines of its history are gone')
  }
  const last = history.at(-1)
  if (last?.baseline === trailer.fingerprint) return history
  if ((last?.generation ?? 0) !== header.generation - 1) {
    throw new BaselineError(
      `its history ends with generation ${last?.generation ?? 0}, and it is generation ${header.generation}`,
    )
  }
  return [...history, appendHistory(context, header.tree, completingRecord(header, trailer))]
}
