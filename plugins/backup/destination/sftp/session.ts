import type { RunningProgram } from '../../../../agent/contract/mod.ts'
import { encodePacket, PacketReader, PacketSplitter, REPLY, REQUEST, STATUS } from './packet.ts'

/** Without an answer for so long the other side is taken for dead. */
const SILENCE_MS = 60_000
const LOOK_EVERY_MS = 5000
const EXPLANATION_MS = 2000
const VERSION = 3

/** What the server answered instead of doing what was asked. */
export class SftpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

interface Reply {
  type: number
  body: PacketReader
}

/** Requests to an SFTP server through a running `ssh`, any number of them at a time. */
export class SftpSession {
  private readonly waiting = new Map<number, (reply: Reply | Error) => void>()
  private nextId = 1
  private lastHeardAt = performance.now()
  private failure: Error | undefined
  private readonly watch: Timer
  /** Names of the extensions that the server has. */
  readonly extensions = new Set<string>()

  private constructor(
    private readonly program: RunningProgram,
    /** What ssh said, as a reason for people. */
    private readonly explain: (stderr: string) => string,
    private readonly silenceMs: number,
  ) {
    this.watch = setInterval(() => this.lookForLife(), Math.min(LOOK_EVERY_MS, silenceMs / 2))
  }

  static async open(
    program: RunningProgram,
    explain: (stderr: string) => string,
    silenceMs = SILENCE_MS,
  ): Promise<SftpSession> {
    const session = new SftpSession(program, explain, silenceMs)
    try {
      const answer = new Promise<Reply>((resolve, reject) => {
        session.waiting.set(0, (reply) => (reply instanceof Error ? reject(reply) : resolve(reply)))
      })
      answer.catch(() => {}) // Awaited below.
      void session.listen()
      await session.send(encodePacket(REQUEST.init, [VERSION]))
      const { body } = await answer
      if (body.uint32() < VERSION) throw new Error('its version of SFTP is too old')
      while (body.left > 0) {
        session.extensions.add(body.text())
        body.data()
      }
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  /** Sends a request and resolves with its answer; a status other than "ok" is thrown. */
  async request(type: number, parts: readonly (number | bigint | string | Uint8Array)[]): Promise<Reply> {
    if (this.failure) throw this.failure
    const id = this.nextId++
    if (this.waiting.size === 0) this.lastHeardAt = performance.now()
    const answer = new Promise<Reply>((resolve, reject) => {
      this.waiting.set(id, (reply) => (reply instanceof Error ? reject(reply) : resolve(reply)))
    })
    // Awaited below; a failure before that must not count as unhandled.
    answer.catch(() => {})
    await this.send(encodePacket(type, [id, ...parts]))
    const reply = await answer
    if (reply.type !== REPLY.status) return reply
    const status = reply.body.uint32()
    if (status === STATUS.ok) return reply
    throw new SftpError(status, WORDS[status] ?? (reply.body.text() || `error ${status}`))
  }

  async close(): Promise<void> {
    clearInterval(this.watch)
    this.fail(new Error('the connection is closed'))
    try {
      await this.program.endInput()
    } catch {
      // It has ended before.
    }
    this.program.kill()
    await this.program.ended
  }

  private async send(packet: Uint8Array): Promise<void> {
    try {
      await Promise.race([this.program.write(packet), this.broken.promise])
    } catch (error) {
      // That it has ended is told first; why, a moment later.
      await Promise.race([this.broken.promise.catch(() => {}), Bun.sleep(EXPLANATION_MS)])
      throw this.failure ?? error
    }
    if (this.failure) throw this.failure
  }

  private readonly broken = silent(Promise.withResolvers<never>())

  private async listen(): Promise<void> {
    try {
      const splitter = new PacketSplitter()
      for await (const chunk of this.program.stdout) {
        this.lastHeardAt = performance.now()
        for (const packet of splitter.push(chunk)) this.answer(new PacketReader(packet))
      }
      const { stderr } = await this.program.ended
      this.fail(new Error(this.explain(stderr)))
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      this.program.kill()
    }
  }

  private answer(body: PacketReader): void {
    const type = body.byte()
    const id = type === REPLY.version ? 0 : body.uint32()
    const resolve = this.waiting.get(id)
    if (!resolve) throw new Error('it answers what was not asked')
    this.waiting.delete(id)
    resolve({ type, body })
  }

  private lookForLife(): void {
    if (this.waiting.size === 0 || performance.now() - this.lastHeardAt < this.silenceMs) return
    this.fail(new Error(`it has not answered for ${Math.round(this.silenceMs / 1000)} seconds`))
    this.program.kill()
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.broken.reject(this.failure)
    for (const resolve of this.waiting.values()) resolve(this.failure)
    this.waiting.clear()
  }
}

/** A promise that may be rejected while nobody waits for it. */
function silent<T>(resolvers: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  resolvers.promise.catch(() => {})
  return resolvers
}

const WORDS: Record<number, string> = {
  [STATUS.endOfFile]: 'it ends too early',
  [STATUS.noSuchFile]: 'no such file or directory',
  [STATUS.permissionDenied]: 'permission denied',
}
