import type { HostReader } from '../../../../agent/contract/mod.ts'
import { locationOf } from '../config.ts'
import {
  type Destination,
  type KnownObject,
  type ObjectSink,
  RemovalRefusedError,
  type StoredObject,
} from '../destination.ts'
import { isRegularFile, OPEN, REPLY, REQUEST, type RemoteAttributes, STATUS } from './packet.ts'
import { SftpError, SftpSession } from './session.ts'
import { explainSsh, type SftpConfig, sshCommand } from './ssh.ts'

/** Servers need not take more at once (section 3 of the draft). */
const PIECE_BYTES = 32_768
/** On the way at a time: enough for 100 ms at 40 MB/s. */
const PIECES_ON_THE_WAY = 128
const ALMOST_NOTHING_BYTES = 4_194_304
const PART_SUFFIX = '.part'
const FSYNC = 'fsync@openssh.com'
const POSIX_RENAME = 'posix-rename@openssh.com'
const STATVFS = 'statvfs@openssh.com'

/** Backups as files of a directory on another host. */
export class SftpDestination implements Destination {
  readonly name: string
  readonly location: string

  private constructor(
    private readonly config: SftpConfig,
    private readonly session: SftpSession,
    private readonly owner: string,
  ) {
    this.name = config.name
    this.location = locationOf(config)
  }

  /** Throws with the reason when the server or its directory is not there. */
  static async open(
    host: HostReader,
    config: SftpConfig,
    owner: string,
    signal: AbortSignal,
  ): Promise<SftpDestination> {
    const program = host.start(sshCommand(config), { signal })
    const session = await SftpSession.open(program, (stderr) => explainSsh(stderr, config))
    const destination = new SftpDestination(config, session, owner)
    try {
      await destination.attributes(REQUEST.stat, config.directory)
      return destination
    } catch (error) {
      await session.close()
      if (!isStatus(error, STATUS.noSuchFile)) throw error
      throw new Error(
        `there is no directory "${config.directory}" on ${config.host}: create it with mode 0700`,
      )
    }
  }

  async stat(name: string): Promise<StoredObject | undefined> {
    try {
      const attributes = await this.attributes(REQUEST.lstat, this.path(name))
      return isRegularFile(attributes) ? { name, ...sizeAndTime(attributes) } : undefined
    } catch (error) {
      if (isStatus(error, STATUS.noSuchFile)) return undefined
      throw error
    }
  }

  async list(): Promise<StoredObject[]> {
    const handle = await this.handle(REQUEST.opendir, [this.config.directory])
    const objects: StoredObject[] = []
    try {
      for (;;) {
        const { body } = await this.session.request(REQUEST.readdir, [handle])
        for (let count = body.uint32(); count > 0; count--) {
          const name = body.text()
          body.data() // as `ls -l` would show it
          const attributes = body.attributes()
          if (isRegularFile(attributes)) objects.push({ name, ...sizeAndTime(attributes) })
        }
      }
    } catch (error) {
      if (!isStatus(error, STATUS.endOfFile)) throw error
    } finally {
      await this.closeHandle(handle)
    }
    return objects
  }

  async *read(name: string, from = 0): AsyncGenerator<Uint8Array> {
    const handle = await this.handle(REQUEST.open, [this.path(name), OPEN.read, 0])
    const asked: { offset: number; data: Promise<Uint8Array | undefined> }[] = []
    let next = from
    const ask = () => {
      const data = this.readPiece(handle, next, PIECE_BYTES)
      data.catch(() => {})
      asked.push({ offset: next, data })
      next += PIECE_BYTES
    }
    try {
      for (;;) {
        while (asked.length < PIECES_ON_THE_WAY) ask()
        const first = asked.shift()
        if (!first) return
        let { offset } = first
        const end = offset + PIECE_BYTES
        let data = await first.data
        while (data !== undefined) {
          yield data
          offset += data.length
          if (offset === end) break
          // A server may give less than was asked for: what is missing comes before all that is on the way.
          data = await this.readPiece(handle, offset, end - offset)
        }
        if (data === undefined) return
      }
    } finally {
      await Promise.allSettled(asked.map(({ data }) => data))
      await this.closeHandle(handle)
    }
  }

  /** Undefined at the end of the file. */
  private async readPiece(handle: Buffer, offset: number, bytes: number): Promise<Uint8Array | undefined> {
    try {
      const { type, body } = await this.session.request(REQUEST.read, [handle, BigInt(offset), bytes])
      if (type !== REPLY.data) throw new Error('it answers what was not asked')
      const data = body.data()
      if (data.length === 0 || data.length > bytes) throw new Error('it answers with another length')
      return data
    } catch (error) {
      if (isStatus(error, STATUS.endOfFile)) return undefined
      throw error
    }
  }

  async freeBytes(): Promise<number | undefined> {
    if (!this.session.extensions.has(STATVFS)) return undefined
    const { body } = await this.session.request(REQUEST.extended, [STATVFS, this.config.directory])
    const [, fragmentBytes = 0n, , , available = 0n] = Array.from({ length: 5 }, () => body.uint64())
    return Number(fragmentBytes * available)
  }

  async exposure() {
    const { mode } = await this.attributes(REQUEST.stat, this.config.directory)
    if ((mode & 0o022) === 0) return undefined
    const permissions = (mode & 0o7777).toString(8).padStart(4, '0')
    return {
      reason: `others may write in its directory there (mode ${permissions})`,
      remedy: `On ${this.config.host}: chmod go-w ${this.config.directory}`,
    }
  }

  async create(name: string, known?: KnownObject): Promise<ObjectSink> {
    const part = this.path(this.partName(known))
    const flags = OPEN.write | OPEN.create | (known ? 0 : OPEN.exclusive)
    const handle = await this.handle(REQUEST.open, [part, flags, ATTRIBUTES_WITH_MODE, 0o600])
    const upload = new Upload(this.session, handle)
    let isOpen = true
    const left = known ? (await this.handleAttributes(handle)).bytes : 0
    // More than the whole cannot be a part of it: it is written over, and cut by the check of its size below.
    const offset = known && left <= known.bytes ? left : 0
    upload.offset = offset
    return {
      offset,
      write: (chunk) => upload.write(chunk).catch((error) => this.explainWrite(error)),
      commit: async () => {
        await upload.finish().catch((error) => this.explainWrite(error))
        if (this.session.extensions.has(FSYNC)) await this.session.request(REQUEST.extended, [FSYNC, handle])
        const { bytes } = await this.handleAttributes(handle)
        if (bytes !== upload.offset) {
          throw new Error(`the server has ${bytes} bytes of "${name}", ${upload.offset} were sent`)
        }
        await this.session.request(REQUEST.close, [handle])
        isOpen = false
        // Of the protocol's version 3: it fails when the new name exists.
        await this.session.request(REQUEST.rename, [part, this.path(name)]).catch(async (cause) => {
          const isTaken = (await this.stat(name)) !== undefined
          throw isTaken ? new Error(`"${name}" exists already`, { cause }) : cause
        })
      },
      abort: async () => {
        if (!isOpen) return
        isOpen = false
        await upload.settle()
        await this.closeHandle(handle)
        if (!known) await this.session.request(REQUEST.remove, [part]).catch(() => {})
      },
    }
  }

  async put(name: string, content: Uint8Array): Promise<void> {
    const part = this.path(this.partName(undefined))
    const flags = OPEN.write | OPEN.create | OPEN.exclusive
    const handle = await this.handle(REQUEST.open, [part, flags, ATTRIBUTES_WITH_MODE, 0o600])
    try {
      await this.session.request(REQUEST.write, [handle, 0n, content])
    } finally {
      await this.closeHandle(handle)
    }
    if (this.session.extensions.has(POSIX_RENAME)) {
      await this.session.request(REQUEST.extended, [POSIX_RENAME, part, this.path(name)])
      return
    }
    if (await this.stat(name)) await this.remove(name)
    await this.session.request(REQUEST.rename, [part, this.path(name)])
  }

  async remove(name: string): Promise<void> {
    try {
      await this.session.request(REQUEST.remove, [this.path(name)])
    } catch (error) {
      if (!isStatus(error, STATUS.permissionDenied)) throw error
      throw new RemovalRefusedError(`the user "${this.config.user}" may not remove backups there`, {
        cause: error,
      })
    }
  }

  async removeUnfinished(keep?: KnownObject): Promise<number> {
    const kept = keep && this.partName(keep)
    const left = (await this.list()).filter(
      ({ name }) => name.startsWith(this.prefix) && name.endsWith(PART_SUFFIX) && name !== kept,
    )
    for (const { name } of left) {
      await this.remove(name).catch((error) => {
        if (!(error instanceof RemovalRefusedError)) throw error
      })
    }
    return left.length
  }

  async close(): Promise<void> {
    await this.session.close()
  }

  /** The protocol has no word for a full disk. */
  private async explainWrite(cause: unknown): Promise<never> {
    if (isStatus(cause, STATUS.failure)) {
      const freeBytes = await this.freeBytes().catch(() => undefined)
      if (freeBytes !== undefined && freeBytes < ALMOST_NOTHING_BYTES) {
        throw new Error('no space left on the server', { cause })
      }
    }
    throw cause
  }

  private get prefix(): string {
    return `.reeve-backup-${this.owner}-`
  }

  /** The same for the same object, so that a later run finds what was sent of it. */
  private partName(known: KnownObject | undefined): string {
    const own = known ? known.sha256.slice(0, 24) : crypto.getRandomValues(new Uint8Array(6)).toHex()
    return `${this.prefix}${own}${PART_SUFFIX}`
  }

  private path(name: string): string {
    if (name === '' || name.includes('/')) throw new Error(`Cannot use "${name}" as the name of a backup`)
    return `${this.config.directory.replace(/\/+$/, '')}/${name}`
  }

  private async attributes(request: number, path: string): Promise<RemoteAttributes> {
    const { type, body } = await this.session.request(request, [path])
    if (type !== REPLY.attributes) throw new Error('it answers what was not asked')
    return body.attributes()
  }

  private async handleAttributes(handle: Buffer): Promise<RemoteAttributes> {
    const { body } = await this.session.request(REQUEST.fstat, [handle])
    return body.attributes()
  }

  private async handle(request: number, parts: (number | string)[]): Promise<Buffer> {
    const { type, body } = await this.session.request(request, parts)
    if (type !== REPLY.handle) throw new Error('it answers what was not asked')
    return Buffer.from(body.data())
  }

  private async closeHandle(handle: Buffer): Promise<void> {
    await this.session.request(REQUEST.close, [handle]).catch(() => {})
  }
}

/** Flags of the attributes that follow: permissions only. */
const ATTRIBUTES_WITH_MODE = 4

/** Writes pieces one behind the other, many of them at a time. */
class Upload {
  offset = 0
  private readonly onTheWay = new Set<Promise<void>>()
  private failure: unknown

  constructor(
    private readonly session: SftpSession,
    private readonly handle: Buffer,
  ) {}

  async write(chunk: Uint8Array): Promise<void> {
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
      while (this.onTheWay.size >= PIECES_ON_THE_WAY) await Promise.race(this.onTheWay)
      if (this.failure !== undefined) throw this.failure
      this.send(chunk.subarray(start, start + PIECE_BYTES))
    }
  }

  async finish(): Promise<void> {
    await this.settle()
    if (this.failure !== undefined) throw this.failure
  }

  async settle(): Promise<void> {
    await Promise.all(this.onTheWay)
  }

  /** The piece is copied into its packet at once. */
  private send(piece: Uint8Array): void {
    const sent = this.session.request(REQUEST.write, [this.handle, BigInt(this.offset), piece]).then(
      () => {},
      (error) => {
        this.failure ??= error
      },
    )
    this.offset += piece.length
    this.onTheWay.add(sent)
    void sent.finally(() => this.onTheWay.delete(sent))
  }
}

function sizeAndTime({ bytes, mtimeMs }: RemoteAttributes) {
  return { bytes, mtimeMs }
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof SftpError && error.status === status
}
