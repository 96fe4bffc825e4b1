import type { LogRotation } from './rotation.ts'

/** What was found about a log. Only `due` leads to a rotation. */
export interface Verdict {
  kind: 'due' | 'not-due' | 'missing' | 'insecure' | 'not-a-file' | 'hard-linked'
  /** For people. */
  reason: string
}

/** Who has logs rotated as part of something larger hears of each, and may hold one back. */
export interface Listener {
  onVerdict(log: string, verdict: Verdict): void
  /** Whether a log that is due has to wait. */
  holds(log: string): boolean
  /** The log was moved or copied, and its scripts have run. */
  onRotated(rotation: LogRotation): void
  /** Asked after that: false leaves the rotated log uncompressed. */
  mayCompress(rotation: LogRotation): boolean
  /** All is done for the log. */
  onFinished(rotation: LogRotation): void
}
