import { type HostReader, type HostWriter, shellWord, UserError } from '../../../agent/contract/mod.ts'
import type { Destination, DestinationReader, KnownObject, ObjectSink, StoredObject } from './destination.ts'

const READ_BYTES = 262_144

/** Backups as files of one directory. */
export class DirectoryReader implements DestinationReader {
  constructor(
    protected readonly reader: HostReader,
    readonly location: string,
    readonly name: string = location,
  ) {}

  async stat(name: string): Promise<StoredObject | undefined> {
    const stat = this.reader.stat(this.path(name))
    return stat?.type === 'file' ? { name, bytes: stat.size, mtimeMs: stat.mtimeMs } : undefined
  }

  async list(): Promise<StoredObject[]> {
    const objects = await Promise.all(this.reader.list(this.location).map((name) => this.stat(name)))
    return objects.filter((object) => object !== undefined)
  }

  read(name: string, from = 0): AsyncIterable<Uint8Array> {
    return readFile(this.reader, this.path(name), from)
  }

  async freeBytes(): Promise<number> {
    return this.reader.freeBytes(this.location)
  }

  async exposure() {
    const stat = this.reader.statTarget(this.location)
    if (!stat || (stat.mode & 0o022) === 0) return undefined
    const mode = stat.mode.toString(8).padStart(4, '0')
    return {
      reason: `others may write in "${this.location}" (mode ${mode})`,
      remedy: `chmod go-w ${shellWord(this.location)}`,
    }
  }

  async close(): Promise<void> {}

  protected path(name: string): string {
    if (name === '' || name.includes('/')) throw new Error(`Cannot use "${name}" as the name of a backup`)
    return this.location === '/' ? `/${name}` : `${this.location}/${name}`
  }
}

export class DirectoryDestination extends DirectoryReader implements Destination {
  /** `owner` tells the unfinished files of this job from those of any other. */
  constructor(
    private readonly host: HostWriter,
    location: string,
    private readonly owner: string,
    name?: string,
  ) {
    super(host, location, name)
  }

  /** Always from the beginning: to a disk it is quicker than to find out what is there already. */
  async create(name: string): Promise<ObjectSink> {
    const random = crypto.getRandomValues(new Uint8Array(6)).toHex()
    const sink = this.host.create(this.path(name), {
      mode: 0o600,
      temporaryPath: this.path(`${this.prefix}${random}.tmp`),
    })
    return {
      offset: 0,
      write: async (chunk) => sink.write(chunk),
      commit: async () => sink.commit(),
      abort: async () => sink.abort(),
    }
  }

  async put(name: string, content: Uint8Array): Promise<void> {
    const random = crypto.getRandomValues(new Uint8Array(6)).toHex()
    const temporaryPath = this.path(`${this.prefix}${random}.tmp`)
    this.host.writeFile(this.path(name), content, { mode: 0o600, replace: true, temporaryPath })
  }

  async remove(name: string): Promise<void> {
    this.host.remove(this.path(name))
  }

  async removeUnfinished(_keep?: KnownObject): Promise<number> {
    const left = (await this.list()).filter(
      ({ name }) => name.startsWith(this.prefix) && name.endsWith('.tmp'),
    )
    for (const { name } of left) await this.remove(name)
    return left.length
  }

  private get prefix(): string {
    return `.reeve-backup-${this.owner}-`
  }
}

/** Throws unless the directory is there, and on the file system that is wanted. */
export function requireDirectory(host: HostReader, directory: string): void {
  const stat = host.statTarget(directory)
  const remedy = `Mount its disk, or create it: install -d -m 0700 ${shellWord(directory)}`
  if (!stat) throw new UserError(`no such directory. ${remedy}`)
  if (stat.type !== 'directory') throw new UserError(`it is a ${stat.type}`)
}

/** A regular file in chunks; each is valid until the next one is asked for. */
export async function* readFile(host: HostReader, path: string, from = 0): AsyncGenerator<Uint8Array> {
  const source = host.open(path)
  try {
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    for (let position = from; ; ) {
      const count = source.read(chunk, position)
      if (count === 0) return
      position += count
      yield chunk.subarray(0, count)
    }
  } finally {
    source.close()
  }
}
