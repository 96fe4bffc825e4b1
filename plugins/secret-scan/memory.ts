import { createHash } from 'node:crypto'
import type { Entry, HostWriter } from '../../agent/contract/mod.ts'
import type { FileMatch } from './scan-file.ts'

/** What a look at a file came to, as long as nobody touches it. */
export interface Remembered {
  matches: FileMatch[]
  /** As in `FileScan`. */
  skipped?: string
  bytes: number
  leftOut: number
}

/** A file written so shortly before may be written again within the same time stamp. */
const RACY_MS = 2000
const MAX_BYTES = 256 * 1024 * 1024
const VERSION = 1

/**
 * What was found in each file, by path: a file with the same inode, size and times is not read again. No secret is in
 * it. It is one file in the job's state directory; one that is of other settings, or cannot be read, counts as none.
 */
export class ScanMemory {
  private readonly before = new Map<string, string>()
  private readonly now: string[] = []
  readonly file: string
  private readonly header: string

  constructor(
    private readonly state: HostWriter,
    stateDir: string,
    /** All that decides what is found. */
    settings: unknown,
    private readonly startedMs: number,
  ) {
    this.file = `${stateDir}/looked-at`
    const hash = createHash('sha256').update(JSON.stringify(settings)).digest('hex')
    this.header = `reeve secret-scan ${VERSION} ${hash}`
    if (!state.stat(this.file)) return
    let text: string
    try {
      text = state.readText(this.file, { maxBytes: MAX_BYTES })
    } catch {
      return // everything is looked at again
    }
    const lines = text.split('\n')
    if (lines[0] !== this.header || lines.at(-1) !== 'end') return
    for (const line of lines.slice(1, -1)) {
      const tab = line.indexOf('\t')
      this.before.set(line.slice(0, tab), line.slice(tab + 1))
    }
  }

  /** What was found the last time, when the file is still the same. `as` says how it was looked at. */
  recall(entry: Entry, as: string): Remembered | undefined {
    const known = this.before.get(keyOf(entry.path, as))
    const tab = known?.indexOf('\t') ?? -1
    if (known === undefined || known.slice(0, tab) !== stampOf(entry)) return undefined
    this.now.push(`${keyOf(entry.path, as)}\t${known}`)
    const rest = known.slice(tab + 1)
    return JSON.parse(rest) as Remembered
  }

  remember(entry: Entry, as: string, result: Remembered): void {
    if (Math.max(entry.mtimeMs, entry.ctimeMs) > this.startedMs - RACY_MS) return
    this.now.push(`${keyOf(entry.path, as)}\t${stampOf(entry)}\t${JSON.stringify(result)}`)
  }

  save(): void {
    this.state.writeFile(this.file, `${[this.header, ...this.now].join('\n')}\nend`, { replace: true })
  }
}

/** Without what would end it. */
function keyOf(path: string, as: string): string {
  return `${as} ${JSON.stringify(path)}`
}

function stampOf({ ino, dev, size, mtimeMs, ctimeMs, mode }: Entry): string {
  return `${dev}.${ino}.${size}.${mtimeMs}.${ctimeMs}.${mode}`
}
