import { randomBytes } from 'node:crypto'
import type { HostReader, HostWriter } from '../../agent/contract/mod.ts'
import type { Destination, DestinationReader, ObjectSink, StoredObject } from './destination.ts'

const READ_BYTES = 262_144

/** Backups as files of one directory. */
export class DirectoryReader implements DestinationReader {
  constructor(
    protected readonly reader: HostReader,
    readonly location: string,
  ) {}

  async stat(name: string): Promise<StoredObject | undefined> {
    const stat = this.reader.stat(this.path(name))
    return stat?.type === 'file' ? { name, bytes: stat.size, mtimeMs: stat.mtimeMs } : undefined
  }

  async list(): Promise<StoredObject[]> {
    const objects = await Promise.all(this.reader.list(this.location).map((name) => this.stat(name)))
    return objects.filter((object) => object !== undefined)
  }

  read(name: string): AsyncIterable<Uint8Array> {
    return readFile(this.reader, this.path(name))
  }

  async freeBytes(): Promise<number> {
    return this.reader.freeBytes(this.location)
  }

  protected path(name: string): string {
    if (name === '' || name.includes('/')) throw new Error(`Cannot use "${name}" as the name of a backup`)
    return `${this.location}/${name}`
  }
}

export class DirectoryDestination extends DirectoryReader implements Destination {
  /** `owner` tells the unfinished files of this job from those of any other. */
  constructor(
    private readonly host: HostWriter,
    location: string,
    private readonly owner: string,
  ) {
    super(host, location)
  }

  async create(name: string): Promise<ObjectSink> {
    const sink = this.host.create(this.path(name), {
      mode: 0o600,
      temporaryPath: this.path(`${this.prefix}${randomBytes(6).toString('hex')}.tmp`),
    })
    return {
      write: async (chunk) => sink.write(chunk),
      commit: async () => sink.commit(),
      abort: async () => sink.abort(),
    }
  }

  async remove(name: string): Promise<void> {
    this.host.remove(this.path(name))
  }

  async removeUnfinished(): Promise<number> {
    const left = (await this.list()).filter(
      ({ name }) => name.startsWith(this.prefix) && name.endsWith('.tmp'),
    )
    for (const { name } of left) this.host.remove(this.path(name))
    return left.length
  }

  private get prefix(): string {
    return `.reeve-backup-${this.owner}-`
  }
}

/** A regular file in chunks; each is valid until the next one is asked for. */
export async function* readFile(host: HostReader, path: string): AsyncGenerator<Uint8Array> {
  const source = host.open(path)
  try {
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    for (let position = 0; ; ) {
      const count = source.read(chunk, position)
      if (count === 0) return
      position += count
      yield chunk.subarray(0, count)
    }
  } finally {
    source.close()
  }
}
