import { closeSync, readSync } from 'node:fs'
import type { ContentRange, ExactStat, FileSource } from '../contract/host.ts'
import { contentRanges } from './content-ranges.ts'
import { exactStatOf } from './exact-stat.ts'
import { extendedAttributes } from './extended-attributes.ts'
import { attempt } from './files.ts'

/** A file of the host that was opened for reading. Its path is for errors only. */
export class OpenFile implements FileSource {
  readonly stat: ExactStat
  readonly #path: string
  readonly #descriptor: number

  /** Takes the descriptor over. Throws, and closes it, when it is of no regular file. */
  constructor(path: string, descriptor: number) {
    this.#path = path
    this.#descriptor = descriptor
    try {
      this.stat = exactStatOf(descriptor)
      if (this.stat.type !== 'file') throw new Error(`it is a ${this.stat.type}, not a file`)
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
  }

  /** For what works on descriptors. */
  static descriptorOf(source: FileSource): number {
    if (!(source instanceof OpenFile)) throw new Error('Cannot use a file that this host did not open')
    return source.#descriptor
  }

  read(buffer: Uint8Array, position: number): number {
    return attempt('read', this.#path, () => readSync(this.#descriptor, buffer, 0, buffer.length, position))
  }

  exactStat(): ExactStat {
    return attempt('look at', this.#path, () => exactStatOf(this.#descriptor))
  }

  extendedAttributes(): ReadonlyMap<string, Uint8Array> {
    return attempt('read the attributes of', this.#path, () => extendedAttributes(this.#descriptor))
  }

  contentRanges(): ContentRange[] | undefined {
    return attempt('read', this.#path, () => contentRanges(this.#descriptor, this.stat.size))
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
