import type { SandboxMode } from '../config/schema.ts'
import type { Permissions } from '../contract/permissions.ts'
import type { WatchPlan } from '../contract/plugin.ts'

/** A job as it runs: configuration, defaults and plugin put together. Durations in milliseconds. */
export interface Job {
  name: string
  plugin: { name: string; summary: string; file: string | null; canApply: boolean; seesActions?: boolean }
  /** Cron expression of 5 or 6 fields or a nickname; null for one that only runs when asked to. */
  schedule: string | null
  timezone: string
  mode: 'observe' | 'enforce'
  timeoutMs: number
  jitterMs: number
  runOnStart: boolean
  catchUp: boolean
  enabled: boolean
  sandbox: SandboxMode
  /** The plugin's part of the configuration, as written. */
  config: unknown
  permissions: { check: Permissions; apply?: Permissions }
  /** Paths of which a change starts it, beside its schedule; null when it is not watched. */
  watch: WatchPlan | null
  /** Why it may not run at all; null when it may. */
  refused: string | null
  /** SHA-256 of all of the above that changes what it does. */
  configDigest: string
}
