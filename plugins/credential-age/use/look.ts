import { type CheckContext, describeError, type HostReader } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { Credential } from '../credential.ts'
import type { Gaps } from '../places.ts'
import { candidatesOf, historyWords, namedSecrets } from './exposure.ts'
import { type Process, readProcesses } from './processes.ts'
import { readUnits, type UnitReference } from './units.ts'

const MAX_HISTORY_BYTES = 1_048_576
const MAX_WORDS = 300_000

/** Where a secret showed up that should not be there. */
export interface Exposure {
  where: 'arguments' | 'history'
  /** Name of the program, or path of the history. */
  place: string
  /** The credential that it is; undefined when only its name gave it away. */
  credential: Credential | undefined
  /** "--password", for what only its name gave away. */
  option: string | undefined
  pid?: number | undefined
  line?: number | undefined
}

/** Who uses the credentials, and where they show. */
export interface Use {
  references: UnitReference[]
  processes: Process[]
  exposures: Exposure[]
}

export async function lookAtUse(
  ctx: CheckContext<Config>,
  credentials: Credential[],
  gaps: Gaps,
): Promise<Use> {
  const { use, exposure } = ctx.config
  const references = readUnits(ctx.host, use.units, gaps)
  const exposures: Exposure[] = []
  let processes: Process[] = []
  if (use.processes || exposure.commandLines) {
    const table = readProcesses(ctx.host)
    gaps.blind.push(...table.blind)
    processes = table.processes
  }
  const finder = new Finder(ctx, credentials)
  if (exposure.commandLines) {
    for (const { pid, name, words } of processes) {
      exposures.push(...finder.find(words, { where: 'arguments', place: name, pid }))
    }
  }
  for (const pattern of exposure.histories) {
    const blind = (subject: string, reason: string) => gaps.blind.push({ subject, reason })
    for (const { path, type } of ctx.host.glob(pattern, blind)) {
      if (type !== 'file') continue
      await new Promise((resume) => setImmediate(resume))
      ctx.signal.throwIfAborted()
      try {
        for (const [index, line] of lastLines(ctx.host, path)) {
          const where = { where: 'history', place: path, line: index + 1 } as const
          exposures.push(...finder.find(historyWords(line), where))
        }
      } catch (error) {
        blind(path, describeError(error))
      }
    }
  }
  if (finder.isExhausted) {
    const reason = `there are more than ${MAX_WORDS} words in command lines and histories; not all were looked at`
    gaps.blind.push({ subject: 'exposure', reason })
  }
  return { references, processes: use.processes ? processes : [], exposures }
}

/** Recognises values by their keyed fingerprint, so that no value has to be kept to look for it. */
class Finder {
  private readonly known = new Map<string, Credential>()
  private words = 0

  constructor(
    private readonly ctx: Pick<CheckContext<Config>, 'fingerprint'>,
    credentials: Credential[],
  ) {
    for (const credential of credentials) {
      const { fingerprint, confidential, placeholder } = credential
      if (fingerprint !== undefined && confidential && !placeholder) this.known.set(fingerprint, credential)
    }
  }

  get isExhausted(): boolean {
    return this.words > MAX_WORDS
  }

  find(words: string[], at: Pick<Exposure, 'where' | 'place' | 'pid' | 'line'>): Exposure[] {
    const candidates = candidatesOf(words)
    this.words += candidates.size
    if (this.isExhausted) return []
    const found: Exposure[] = []
    for (const candidate of candidates) {
      const credential = this.known.get(this.ctx.fingerprint(candidate))
      if (credential) found.push({ ...at, credential, option: undefined })
    }
    // What is known already needs no guess.
    if (found.length > 0) return found
    return namedSecrets(words).map((option) => ({ ...at, credential: undefined, option }))
  }
}

/** The lines of the end of a file, each with its index; from the line that begins in it where it is cut. */
function lastLines(host: HostReader, path: string): [number, string][] {
  const source = host.open(path)
  try {
    const start = Math.max(0, source.stat.size - MAX_HISTORY_BYTES)
    const buffer = Buffer.alloc(Math.min(source.stat.size, MAX_HISTORY_BYTES))
    let length = 0
    while (length < buffer.length) {
      const count = source.read(buffer.subarray(length), start + length)
      if (count === 0) break
      length += count
    }
    return [...buffer.toString('utf8', 0, length).split('\n').entries()].slice(start > 0 ? 1 : 0)
  } finally {
    source.close()
  }
}
