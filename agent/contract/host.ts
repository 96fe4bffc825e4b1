/**
 * The host as a plugin sees it. Paths are absolute, as on the host; a root directory other than "/" is put
 * in front by the implementation. A byte of a name that is no UTF-8 is the lone surrogate U+DC00 + byte.
 * Every method throws NotPermittedError where the job did not declare what it tries.
 */

export type FileType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'socket'
  | 'fifo'
  | 'block-device'
  | 'character-device'

/** What lstat says. `mode` has the permission bits only (0o7777). */
export interface FileStat {
  type: FileType
  mode: number
  uid: number
  gid: number
  size: number
  mtimeMs: number
  ctimeMs: number
  ino: number
  dev: number
  nlink: number
}

export interface Entry extends FileStat {
  path: string
}

export interface WalkOptions {
  /** Return true to leave out an entry and all below it. */
  exclude?: ((path: string, name: string) => boolean) | undefined
  /** Called for everything that could not be looked at. */
  onBlind: (path: string, reason: string) => void
  /** Stay on the file system of the start directory. Default true. */
  oneFileSystem?: boolean | undefined
  signal?: AbortSignal | undefined
}

export interface RunOptions {
  stdin?: string | Uint8Array | undefined
  env?: Record<string, string> | undefined
  /** Milliseconds; the program's process group is then killed. */
  timeout?: number | undefined
  signal?: AbortSignal | undefined
  /** Kept of stdout and of stderr each; the middle of what is longer is cut out. Default 1 MiB. */
  maxBytes?: number | undefined
}

export interface RunResult {
  exitCode: number | null
  /** Set when a signal ended the program, "SIGKILL" after a timeout. */
  signal: string | null
  timedOut: boolean
  stdout: string
  stderr: string
  /** Output was longer than maxBytes. */
  truncated: boolean
}

/** An open regular file for streaming. `stat` is of the open file, so it cannot be swapped in between. */
export interface FileSource {
  readonly stat: FileStat
  /** Fills `buffer` from `position`; returns the bytes read, 0 at the end. */
  read(buffer: Uint8Array, position: number): number
  close(): void
}

export interface HostReader {
  /** Directory in front of every path; "/" on a real host. */
  readonly root: string
  /** lstat; undefined when there is no such entry. */
  stat(path: string): FileStat | undefined
  /** stat of what a link points at; undefined when that is missing. */
  statTarget(path: string): FileStat | undefined
  readLink(path: string): string
  /** Names in a directory, in byte order. */
  list(path: string): string[]
  /**
   * Bytes of a regular file. Throws when it is larger than `maxBytes` (default 1 MiB), is no regular file,
   * or its last component is a link and `follow` is not set.
   */
  read(path: string, options?: { maxBytes?: number; follow?: boolean }): Uint8Array
  readText(path: string, options?: { maxBytes?: number; follow?: boolean }): string
  /** Opens a regular file for streaming, without following a link unless `follow` is set. */
  open(path: string, options?: { follow?: boolean }): FileSource
  /** Entries that match a pattern (`*`, `?`, `[…]`, `{a,b}`, `**`), in tree order. A plain path matches itself. */
  glob(pattern: string, onBlind: (path: string, reason: string) => void): Entry[]
  /** All below a directory, itself first, in tree order (`compareTreeOrder`), in batches of a few thousand. */
  walk(start: string, options: WalkOptions): AsyncIterable<Entry[]>
  /** Name of a user or group id, or its number as text when it has none. */
  userName(uid: number): string
  groupName(gid: number): string
  /** Id of a name or of a number as text; undefined when there is none. */
  userId(name: string): number | undefined
  groupId(name: string): number | undefined
  /** Home directories by user name, from passwd. */
  homes(): Map<string, string>
  /** Runs a declared program, without a shell. Throws only when it cannot be started. */
  run(argv: [string, ...string[]], options?: RunOptions): Promise<RunResult>
  /** Bytes that this process may still write on the file system of `path`. */
  freeBytes(path: string): number
}

/** A new file under a temporary name beside its final one. */
export interface FileSink {
  readonly temporaryPath: string
  write(chunk: Uint8Array): void
  /** fsync, rename to the final name, fsync the directory. */
  commit(): void
  /** Removes the temporary file. Safe to call after commit. */
  abort(): void
}

export interface CreateOptions {
  /** From the start, whatever the umask. Default 0o600. */
  mode?: number
  uid?: number
  gid?: number
  /** Replace an existing file. Default false: it is an error. */
  replace?: boolean
}

export interface HostWriter extends HostReader {
  /** Opens a new file (O_EXCL, O_NOFOLLOW) under a temporary name for streaming. */
  create(path: string, options?: CreateOptions): FileSink
  /** The whole of a file, atomically and durably. */
  writeFile(path: string, data: string | Uint8Array, options?: CreateOptions): void
  /** chmod through a handle; refused when the entry is no longer the one in `expected` (device and inode). */
  setMode(path: string, expected: FileStat, mode: number): void
  /** chown through a handle, like setMode. */
  setOwner(path: string, expected: FileStat, uid: number, gid: number): void
  /** rename, then fsync of both directories. Never replaces an existing file unless `replace`. */
  rename(from: string, to: string, options?: { replace?: boolean }): void
  remove(path: string): void
  /** Truncates a regular file to nothing, without following a link. */
  truncate(path: string): void
  makeDirectory(path: string, mode: number): void
}
