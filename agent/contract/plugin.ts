import type { z } from 'zod'
import type { ProgressDetail } from '../lib/progress.ts'
import type { HostReader, HostWriter } from './host.ts'
import type { Permissions } from './permissions.ts'
import type { Finding, Json, Report, Severity } from './report.ts'

export interface Log {
  info(message: string, fields?: Record<string, Json>): void
  warn(message: string, fields?: Record<string, Json>): void
}

/** What is known of an API token of reeve: never the token, nor its hash. Times are UTC milliseconds. */
export interface OwnToken {
  id: number
  name: string
  scope: string
  createdAtMs: number
  /** Null: it does not expire. */
  expiresAtMs: number | null
  lastUsedAtMs: number | null
}

interface RunContext<C> {
  readonly config: C
  /** The job's name. */
  readonly job: string
  /** When this run began; use it instead of the clock so that one run has one time. */
  readonly now: Date
  /** Aborted when the run's time is up or reeve stops: end promptly. */
  readonly signal: AbortSignal
  readonly log: Log
  /** The job's own directory on the host, private to it, writable in every phase: its bulk memory. */
  readonly stateDir: string
  /** `memory` of the last finished run. */
  readonly memory: Json | undefined
  /** What reeve's own jobs did of late, for a plugin with `seesActions`. */
  readonly actions?: readonly OwnAction[] | undefined
  /** The value behind a declared secret reference. Never put it into a report, a file or an argument. */
  secret(reference: string): string
  /** Keyed identity of a secret value (HMAC-SHA-256 with a key of this host and plugin), 32 hex digits. */
  fingerprint(value: string | Uint8Array): string
  /** The usable API tokens of reeve, for built-in plugins; external ones are shown none. */
  readonly ownTokens?: readonly OwnToken[]
  /** From now on this run gets processor and disk only while nobody else wants them. There is no way back. */
  lowerPriority?(): void
  /** Says how far it is; total 0 when unknown. Rate and time left are told by whoever shows it. */
  progress(done: number, total: number, label: string, detail?: ProgressDetail): void
}

/** `check` may look, and write in its own state directory; by type and by jail it changes nothing else. */
export interface CheckContext<C> extends RunContext<C> {
  readonly host: HostReader
  /** Writes in the state directory only. */
  readonly state: HostWriter
}

export interface ApplyContext<C> extends RunContext<C> {
  readonly host: HostWriter
  readonly state: HostWriter
  /** The fixable findings of the check just made. */
  readonly findings: Finding[]
}

export interface CommandContext<C> extends Omit<ApplyContext<C>, 'config' | 'findings'> {
  /** Config of the job that the command is about; undefined where it works without one. */
  readonly config: C | undefined
  readonly args: CommandArgs
}

/** A run in which a job of this reeve may have acted: from its start to its end. */
export interface OwnAction {
  job: string
  plugin: string
  runId: number
  startedMs: number
  /** Null while it goes on. */
  finishedMs: number | null
  /** What its apply was permitted to touch. */
  write: string[]
  attributes: string[]
  /** Paths of its artifacts and of its inventory: backups, logs. */
  subjects: string[]
}

export interface CommandArgs {
  values: Record<string, string | boolean | (string | boolean)[] | undefined>
  positionals: string[]
}

export interface CommandResult {
  /** 0 clean, 3 something is wrong with the host, 4 could not look. */
  exitCode: number
  /** For people; several lines. */
  text: string
  /** The same for programs, printed with --json. */
  json: Json
}

/** A verb of the command line: `reeve PLUGIN VERB`. It runs in a jailed worker like any phase. */
export interface Command<C> {
  summary: string
  /** After "reeve PLUGIN VERB", for the help: "[--job NAME] --to DIR [PATTERN…]". */
  usage: string
  options: Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean; means: string }>
  /** `optional`: works without a configured job (a bare machine). */
  job: 'required' | 'optional'
  /** Where several jobs are configured: whether this one is meant. Pure. */
  concerns?(config: C, args: CommandArgs): boolean
  /** Must not run beside a run of its job, nor beside itself: it waits for nobody, it refuses. */
  exclusive?: boolean
  /** Pure. Relative paths in args are already absolute for options and positionals listed in `paths`; URLs stay. */
  permissions(config: C | undefined, args: CommandArgs): Permissions
  /** Names of options that hold paths; "positionals" for these. */
  paths?: string[]
  /** Names of options whose directory is made (0700) when it is missing: a jail can only grant what is there. */
  makes?: string[]
  run(ctx: CommandContext<C>): Promise<CommandResult>
}

/** What is watched for changes. The daemon does it, by directory: it costs the plugin nothing. */
export interface WatchPlan {
  paths: string[]
  /** Paths or patterns that are left out, with all below them. */
  exclude?: string[]
}

export interface Rule {
  means: string
  severity: Severity
  references?: string[] | undefined
}

export interface PluginSpec<S extends z.ZodObject = z.ZodObject> {
  name: string
  summary: string
  defaults: { schedule: string; timeout: string }
  /** Asks for `ctx.actions`. */
  seesActions?: boolean
  /** Every rule that check or apply may report. */
  rules: Record<string, Rule>
  /** Strict: an unknown key is an error. Every field has a `.describe()`: the reference page is made of it. */
  config: S
  /** Pure: from the job's config alone. The state directory is granted without being listed. */
  permissions(config: z.output<S>): { check: Omit<Permissions, 'write'>; apply?: Permissions }
  /**
   * Pure: paths of which a change is to start the check at once, for jobs with `watch: true`. Patterns as of
   * `HostReader.glob`; "/etc/**" is all below /etc. Without it such a job is refused.
   */
  watch?(config: z.output<S>): WatchPlan
  check(ctx: CheckContext<z.output<S>>): Promise<Report>
  /** Acts on `ctx.findings`. It is believed only when the check that follows is clean. */
  apply?(ctx: ApplyContext<z.output<S>>): Promise<Report>
  commands?: Record<string, Command<z.output<S>>>
}

/** Returns its argument: it exists so that the config's type reaches check, apply and permissions. */
export function definePlugin<S extends z.ZodObject>(spec: PluginSpec<S>): PluginSpec<S> {
  return spec
}

/** Plugins by name. The daemon, the worker and the documentation read the same one. */
// biome-ignore lint/suspicious/noExplicitAny: a registry holds specs of different configs; each is checked where it is defined
export type Registry = ReadonlyMap<string, PluginSpec<any>>

/** The built-in plugins. Each is loaded when it is asked for: a run needs one, a start only the configured ones. */
export interface PluginSource {
  readonly names: readonly string[]
  /** Those of the names that there are. */
  load(names: Iterable<string>): Promise<Registry>
  /** The text (YAML) of the built-in profiles, by name. */
  readonly profiles?: Readonly<Record<string, () => Promise<string>>>
  /** Words of the command line that stand for a plugin; without a verb, for this one if there is one. */
  readonly shortNames?: Readonly<Record<string, { plugin: string; verb?: string }>>
  /** Programs of other projects that reeve stands in for, by name. */
  readonly programs?: Readonly<Record<string, Program>>
}

/** A whole program: arguments in, exit code out. It runs in the caller's process and is not jailed. */
export interface Program {
  summary: string
  load(): Promise<(args: string[]) => Promise<number>>
}
