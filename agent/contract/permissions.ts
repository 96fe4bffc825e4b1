/**
 * What one phase of a job may touch. Nothing that is not listed; there is no blanket `true`.
 * Paths are absolute. A path with wildcards grants the files that match when the run starts, and the names
 * (not the contents) below the part before the first wildcard. What a granted directory holds is granted too.
 */
export interface Permissions {
  /** Names and metadata below these directories, not the contents of files. */
  list?: string[] | undefined
  /** Contents (and names) of these files and directories. */
  read?: string[] | undefined
  /** Create, change, rename and remove below these directories, or change these files. */
  write?: string[] | undefined
  /** Change mode, owner and attributes of what is at or below these paths, not contents or names. No patterns. */
  attributes?: string[] | undefined
  /**
   * "host:port" (TCP; the kernel enforces the port, the host layer the name; "this-host:port" is any address of this
   * host), "unix:/path", "unix-get:/path" (wildcards stand for each socket that matches; only `host.ask`, which sends
   * GET and nothing else), or "netlink": asking the kernel about its network.
   */
  net?: string[] | undefined
  /** Programs with the arguments they may get: [program, ...args]; a last "…" allows any further arguments. */
  run?: [program: string, ...args: string[]][] | undefined
  /** Environment variables passed on to the run. */
  env?: string[] | undefined
  /** Secret references ("env:NAME", "file:/path", "credential:NAME") that `ctx.secret` may resolve. */
  secrets?: string[] | undefined
  /**
   * Directories: which processes have files below them open for writing is looked up before the jail closes, for
   * `host.writersOf`. Within the jail the kernel hides it. Of other users' processes only with CAP_SYS_PTRACE.
   */
  writers?: string[] | undefined
  /**
   * What of other processes is looked up before the jail closes, for `host.processSurvey`: "files" (what they execute
   * and have mapped), "sockets" (who listens). Within the jail the kernel hides it. Of other users' processes only with
   * CAP_SYS_PTRACE, which the look-up has and the run has not.
   */
  processes?: string[] | undefined
  /** Linux capabilities wanted, such as "CAP_DAC_READ_SEARCH". Granted only as far as reeve itself has them. */
  capabilities?: string[] | undefined
}

export const PERMISSION_KEYS = [
  'list',
  'read',
  'write',
  'attributes',
  'net',
  'run',
  'env',
  'secrets',
  'writers',
  'processes',
  'capabilities',
] as const

/** The last element of a `run` entry that allows any further arguments. */
export const ANY_ARGUMENTS = '…'

/** The capabilities that reeve itself has to have for a phase. */
export function neededCapabilities({ capabilities = [], processes = [] }: Permissions): string[] {
  return processes.length > 0 ? [...capabilities, 'CAP_SYS_PTRACE'] : capabilities
}
