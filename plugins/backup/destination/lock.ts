import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { formatDuration, type HostReader, z } from '../../../agent/contract/mod.ts'
import { isRunning, PROCESS_STATES } from '../process.ts'
import { type Destination, type DestinationReader, RemovalRefusedError } from './destination.ts'

// Of one job, one run or command at a time may change what is in a destination, also when the host was cloned. Each
// machine has one lock object there, with who holds it. What died is known by its boot and its process, and that of
// another machine by its silence: no clock is asked.

const BEAT_MS = 20_000
/** Three beats and some time for a slow place. */
const SILENCE_MS = 75_000
const MACHINE_ID = '/etc/machine-id'
const BOOT_ID = '/proc/sys/kernel/random/boot_id'
const MAX_BYTES = 4096
/** So often it is looked whether a lock is beating, within the time of silence. */
const LOOKS = 15

/** What one has to read to take a lock. */
export const LOCK_FILES = [MACHINE_ID, BOOT_ID, PROCESS_STATES]

const holderSchema = z.strictObject({
  version: z.literal(1),
  host: z.string().max(255),
  /** Digest of the machine's identity. */
  machine: z.string(),
  boot: z.string(),
  pid: z.number().int().positive(),
  since: z.iso.datetime(),
  /** Goes up as long as the holder lives. */
  beat: z.number().int().nonnegative(),
  isReleased: z.boolean(),
})

export type Holder = z.output<typeof holderSchema>

/** This process, as it signs its locks. */
export function selfAsHolder(host: HostReader, now: Date): Holder {
  const read = (path: string) => {
    try {
      return host.readText(path).trim()
    } catch {
      return '' // A host without it is told from others by its name.
    }
  }
  const identity = `reeve backup lock\n${read(MACHINE_ID) || hostname()}`
  return {
    version: 1,
    host: hostname(),
    machine: createHash('sha256').update(identity).digest('hex').slice(0, 16),
    boot: read(BOOT_ID),
    pid: process.pid,
    since: now.toISOString(),
    beat: 0,
    isReleased: false,
  }
}

/** Whether the holder of a lock is alive; `unknown` where only its silence can tell. */
export function judgeHolder(
  holder: Holder,
  self: Holder,
  isRunning: (pid: number) => boolean,
): 'dead' | 'alive' | 'unknown' {
  if (holder.isReleased) return 'dead'
  if (holder.machine !== self.machine) return 'unknown'
  if (holder.boot !== self.boot) return 'dead'
  if (holder.pid === self.pid) return 'dead' // Its number came back to this process.
  return isRunning(holder.pid) ? 'unknown' : 'dead'
}

export interface LockOptions {
  owner: string
  self: Holder
  isRunning(pid: number): boolean
  signal: AbortSignal
  /** For tests. */
  silenceMs?: number
  beatMs?: number
}

export class DestinationLock {
  private timer: Timer | undefined
  private beating: Promise<void> = Promise.resolve()

  private constructor(
    private readonly destination: Destination,
    private readonly name: string,
    private readonly self: Holder,
  ) {}

  /** Throws when somebody else holds it. */
  static async take(destination: Destination, options: LockOptions): Promise<DestinationLock> {
    const prefix = `.reeve-lock-${options.owner}-`
    const lock = new DestinationLock(destination, `${prefix}${options.self.machine}`, { ...options.self })
    await refuseLiving(destination, prefix, options)
    await lock.write()
    try {
      // Whoever came at the same time sees this one, or is seen here.
      const own = await readHolder(destination, lock.name)
      if (own && (own.pid !== lock.self.pid || own.boot !== lock.self.boot)) throw new Error(heldBy(own))
      await refuseLiving(destination, prefix, options, lock.name)
    } catch (error) {
      await lock.release()
      throw error
    }
    lock.timer = setInterval(() => lock.beat(), options.beatMs ?? BEAT_MS)
    return lock
  }

  /** What cannot be removed is marked as released. Never throws: a lock that stays is known to be dead. */
  async release(): Promise<void> {
    clearInterval(this.timer)
    await this.beating
    try {
      await this.destination.remove(this.name)
    } catch (error) {
      if (!(error instanceof RemovalRefusedError)) return
      this.self.isReleased = true
      await this.write().catch(() => {})
    }
  }

  private beat(): void {
    this.self.beat++
    this.beating = this.beating.then(() => this.write()).catch(() => {})
  }

  private async write(): Promise<void> {
    await this.destination.put(this.name, Buffer.from(`${JSON.stringify(this.self)}\n`, 'utf8'))
  }
}

async function refuseLiving(
  destination: DestinationReader,
  prefix: string,
  { self, isRunning, signal, silenceMs = SILENCE_MS }: LockOptions,
  except?: string,
): Promise<void> {
  const names = (await destination.list())
    .map(({ name }) => name)
    .filter((name) => name.startsWith(prefix) && name !== except)
  for (const name of names) {
    const holder = await readHolder(destination, name)
    if (!holder) continue
    const verdict = judgeHolder(holder, self, isRunning)
    if (verdict === 'dead') continue
    // A living one beats within this time.
    for (let look = 0; look < LOOKS; look++) {
      signal.throwIfAborted()
      await Bun.sleep(silenceMs / LOOKS)
      const now = await readHolder(destination, name)
      if (!now || now.isReleased) break
      if (now.beat !== holder.beat || now.since !== holder.since) throw new Error(heldBy(now))
    }
  }
}

function heldBy({ host, pid, since }: Holder): string {
  const ageMs = Math.max(0, Date.now() - Date.parse(since))
  return `another run of this job is at work there: process ${pid} on "${host}", for ${formatDuration(ageMs)}`
}

/** Undefined when it is gone, or nothing that this program has written. */
async function readHolder(destination: DestinationReader, name: string): Promise<Holder | undefined> {
  if (!(await destination.stat(name))) return undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of destination.read(name)) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) return undefined
    chunks.push(Uint8Array.from(chunk))
  }
  try {
    return holderSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')))
  } catch {
    return undefined
  }
}

/** Takes the lock of a job in a destination, as this process. */
export function lockDestination(
  destination: Destination,
  host: HostReader,
  owner: string,
  { now, signal }: { now: Date; signal: AbortSignal },
): Promise<DestinationLock> {
  return DestinationLock.take(destination, {
    owner,
    self: selfAsHolder(host, now),
    isRunning: (pid) => isRunning(host, pid),
    signal,
  })
}
