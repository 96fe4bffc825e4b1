import { createHash } from 'node:crypto'
import { type Blind, describeError, type HostReader } from '../../agent/contract/mod.ts'
import { decodeText, Malformed } from './read/text.ts'

export const MAX_FILE_BYTES = 512 * 1024

/** The files that a look reads: each once, bounded, with what could not be read and a digest of what was. */
export class Files {
  readonly blind: Blind[] = []
  /** SHA-256 of every file that was read, by path. */
  readonly digests = new Map<string, string>()
  /** Files that are no text, or no text of their format: path, line and reason. */
  readonly malformed: { path: string; line: number | undefined; reason: string }[] = []
  private readonly texts = new Map<string, string | undefined>()

  constructor(
    readonly host: HostReader,
    /** Rules that cannot be judged without what is not read. */
    private readonly rules: string[],
  ) {}

  exists(path: string): boolean {
    return this.host.statTarget(path) !== undefined
  }

  dark(subject: string, reason: string): void {
    if (this.blind.some((known) => known.subject === subject && known.reason === reason)) return
    this.blind.push({ subject, reason, rules: this.rules })
  }

  /** The text of a file that is there; undefined when it could not be had, which is then told. */
  text(path: string): string | undefined {
    if (this.texts.has(path)) return this.texts.get(path)
    const text = this.load(path)
    this.texts.set(path, text)
    return text
  }

  private load(path: string): string | undefined {
    let bytes: Uint8Array
    try {
      bytes = this.host.read(path, { maxBytes: MAX_FILE_BYTES, follow: true })
    } catch (error) {
      this.dark(path, describeError(error))
      return undefined
    }
    this.digests.set(path, createHash('sha256').update(bytes).digest('hex'))
    try {
      return decodeText(bytes)
    } catch (error) {
      this.refuse(path, error)
      return undefined
    }
  }

  /** Records that a file is not of its format; anything but Malformed is thrown on. */
  refuse(path: string, error: unknown): void {
    if (!(error instanceof Malformed)) throw error
    this.malformed.push({ path, line: error.line, reason: error.reason })
  }

  /** Paths that match, or the path itself when it is no pattern and there is one. */
  match(pattern: string): string[] {
    try {
      return this.host
        .glob(pattern, (path, reason) => this.dark(path, reason))
        .filter(({ type }) => type === 'file' || type === 'symlink')
        .map(({ path }) => path)
    } catch (error) {
      this.dark(pattern, describeError(error))
      return []
    }
  }
}
