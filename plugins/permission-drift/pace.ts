import { setTimeout } from 'node:timers/promises'
import {
  type CheckContext,
  duration,
  errnoOf,
  formatDuration,
  type Metric,
  z,
} from '../../agent/contract/mod.ts'

export const pace = z
  .strictObject({
    priority: z
      .enum(['idle', 'low'])
      .default('idle')
      .describe(
        '`idle`: processor and disk only while nobody else wants them (SCHED_IDLE, the idle class of ionice); `low`: ' +
          'behind others (nice 10)',
      ),
    maxMemoryPressure: z
      .number()
      .min(0)
      .max(100)
      .default(20)
      .describe(
        'Pause while others waited for memory more than so many per cent of the last 10 s (PSI, `some`)',
      ),
    maxIoPressure: z.number().min(0).max(100).default(60).describe('The same for the disks'),
    maxPause: duration
      .prefault('2m')
      .describe('All pauses of a run together; then it goes on whatever the pressure, so that it does end'),
  })
  .prefault({})
  .describe('How a run makes way for others')

export const PRESSURE = '/proc/pressure'
const PAUSE_MS = 500
const LOOK_EVERY_MS = 1000

type Limits = z.output<typeof pace>

/** Makes way: the priority of the whole run, and pauses while the host is short of memory or disk. */
export class Pacer {
  private pausedMs = 0
  private lookedAt = -LOOK_EVERY_MS

  constructor(
    private readonly context: Pick<CheckContext<unknown>, 'host' | 'signal' | 'lowerPriority' | 'log'>,
    private readonly limits: Limits,
  ) {
    if (limits.priority === 'idle') context.lowerPriority?.()
  }

  /** Between two batches. */
  readonly pause = async (): Promise<void> => {
    const now = performance.now()
    if (now - this.lookedAt < LOOK_EVERY_MS) return
    this.lookedAt = now
    while (this.isPressed() && this.pausedMs < this.limits.maxPause) {
      await setTimeout(PAUSE_MS, undefined, { signal: this.context.signal })
      this.pausedMs += PAUSE_MS
      if (this.pausedMs >= this.limits.maxPause) {
        const text = formatDuration(this.limits.maxPause)
        this.context.log.warn(`the host was short of memory or disk for ${text}: going on all the same`)
      }
    }
  }

  metrics(): Metric[] {
    if (this.pausedMs === 0) return []
    const value = this.pausedMs / 1000
    return [
      {
        name: 'paused_seconds',
        value,
        help: 'Time that the run waited because the host was short of memory or disk',
      },
    ]
  }

  private isPressed(): boolean {
    const { maxMemoryPressure, maxIoPressure } = this.limits
    return this.pressure('memory') > maxMemoryPressure || this.pressure('io') > maxIoPressure
  }

  private pressure(kind: 'memory' | 'io'): number {
    try {
      return parsePressure(this.context.host.readText(`${PRESSURE}/${kind}`))
    } catch (error) {
      // A kernel without PSI cannot say it.
      if (['ENOENT', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) return 0
      throw error
    }
  }
}

/** Pure: per cent of the last 10 s in which somebody waited, of a file below /proc/pressure. */
export function parsePressure(text: string): number {
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0)
}
