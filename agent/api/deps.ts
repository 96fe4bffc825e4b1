import type { Context } from 'hono'
import type { Config } from '../config/schema.ts'
import type { Log } from '../contract/plugin.ts'
import type { PacedProgress } from '../lib/progress.ts'
import type { Store } from '../store/open.ts'
import type { Scope } from '../store/schema.ts'
import type { PlannedJob } from '../store/status.ts'
import type { Unpresented } from './schemas.ts'

export interface RunningJob {
  job: string
  runId: number
  /** UTC milliseconds. */
  startedAt: number
  progress?: PacedProgress | undefined
}

/** `running`: here or in another reeve process; `refused`: it may not run as it is configured. */
export type RunRefusal = 'unknown' | 'running' | 'disabled' | 'refused' | 'stopping'

export type RunNow =
  | { runId: number; finished: Promise<unknown> }
  /** `reason` is for people. */
  | { refused: RunRefusal; reason: string }

/** All that the API needs of the daemon. Functions where the answer changes while it runs. */
export interface ApiDeps {
  store: Store
  config(): Config['api']
  jobs(): PlannedJob[]
  running(): RunningJob[]
  /** The checklists as the last runs left them. */
  audits(): Unpresented<'Audit'>[]
  /**
   * Starts a job at once. Resolves when its row is in the store; `finished` settles when the outcome is, too.
   * `actor` is a token's name or "socket".
   */
  runNow(job: string, actor: string): Promise<RunNow>
  /** Reads the configuration anew; null, or the problems that keep the old one in force. */
  reload(): Promise<string | null>
  readiness(): { ready: boolean; reasons: string[] }
  version: string
  /** When the daemon started; UTC milliseconds. */
  startedAt: number
  hostname: string
  /** UTC milliseconds. */
  now(): number
  /** Waits so many milliseconds. */
  sleep(delayMs: number): Promise<void>
  log: Log
}

/** Over the unix socket the file's mode has decided who may ask; over TCP a token does. */
export type Transport = 'tcp' | 'socket'

/** Who asks, once that is known. */
export interface Caller {
  /** As it stands in the audit log. */
  actor: string
  scope: Scope
}

/** What the listener says of a request. */
export interface RequestInfo {
  /** Address of the client; missing for the unix socket. */
  remote?: string | undefined
  /** Lifts the idle timeout: the answer may take as long as a run. */
  keepOpen?: (() => void) | undefined
}

export interface ApiEnv {
  Bindings: RequestInfo
}

export type ApiContext = Context<ApiEnv>
