import type { Socket } from 'node:net'
import type { StartTls } from '../contract/host.ts'

/** A greeting with all its extensions is far shorter. */
const MAX_BYTES = 16_384

/**
 * Asks a server that begins in clear to go on with TLS: SMTP (RFC 3207), IMAP (RFC 9051 6.2.1), PostgreSQL (its
 * protocol's SSLRequest). Resolves when the next byte is the handshake's. The caller bounds the time.
 */
export async function upgradeToTls(socket: Socket, protocol: StartTls): Promise<void> {
  const talk = new Talk(socket)
  try {
    await UPGRADES[protocol](talk)
    if (talk.hasMore) throw new Error('the server speaks before the handshake')
  } finally {
    talk.end()
  }
}

const UPGRADES: Record<StartTls, (talk: Talk) => Promise<void>> = {
  async smtp(talk) {
    if (!/^220/.test(await talk.smtpReply())) throw new Error('it does not greet as SMTP does')
    talk.send('EHLO reeve.invalid\r\n')
    const offer = await talk.smtpReply()
    if (!/^250[ -]STARTTLS\s*$/im.test(offer)) throw new Error('it does not offer STARTTLS')
    talk.send('STARTTLS\r\n')
    if (!/^220/.test(await talk.smtpReply())) throw new Error('it refuses STARTTLS')
  },
  async imap(talk) {
    if (!/^\* (OK|PREAUTH)/i.test(await talk.line())) throw new Error('it does not greet as IMAP does')
    talk.send('r1 STARTTLS\r\n')
    for (;;) {
      const line = await talk.line()
      if (/^r1 OK/i.test(line)) return
      if (/^r1 /i.test(line)) throw new Error('it refuses STARTTLS')
    }
  },
  async postgres(talk) {
    // Length 8, then the code of an SSLRequest: 1234 and 5679.
    talk.send(Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47))
    const answer = await talk.byte()
    if (answer === 0x4e) throw new Error('it refuses TLS')
    if (answer !== 0x53) throw new Error('it does not answer as PostgreSQL does')
  },
}

/** Reads what a server says, piece by piece and never more than MAX_BYTES. */
class Talk {
  private buffered = Buffer.alloc(0)
  private total = 0
  private wake: (() => void) | undefined
  private readonly onData = (chunk: Buffer) => {
    this.total += chunk.length
    if (this.total <= MAX_BYTES) this.buffered = Buffer.concat([this.buffered, chunk])
    this.wake?.()
  }

  constructor(private readonly socket: Socket) {
    socket.on('data', this.onData)
  }

  get hasMore(): boolean {
    return this.buffered.length > 0
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data)
  }

  end(): void {
    this.socket.off('data', this.onData)
    this.socket.pause()
  }

  async byte(): Promise<number> {
    while (this.buffered.length === 0) await this.more()
    const first = this.buffered[0] ?? 0
    this.buffered = this.buffered.subarray(1)
    return first
  }

  async line(): Promise<string> {
    let at = this.buffered.indexOf(10)
    for (; at < 0; at = this.buffered.indexOf(10)) await this.more()
    const line = this.buffered.subarray(0, at).toString('latin1').trimEnd()
    this.buffered = this.buffered.subarray(at + 1)
    return line
  }

  /** All lines of one reply: those before the last have "-" after their code. */
  async smtpReply(): Promise<string> {
    const lines: string[] = []
    do lines.push(await this.line())
    while (/^\d{3}-/.test(lines.at(-1) ?? ''))
    return lines.join('\n')
  }

  private async more(): Promise<void> {
    if (this.total > MAX_BYTES) throw new Error(`it says more than ${MAX_BYTES} bytes before the handshake`)
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
    if (this.total > MAX_BYTES) throw new Error(`it says more than ${MAX_BYTES} bytes before the handshake`)
  }
}
