import type { Detail, DetailRequest, EntryDetails, EntryState } from './entry-state.ts'
import type { ScanBatch, ScanOptions } from './scan.ts'

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

/** lstat in full. */
export interface ExactStat extends FileStat {
  mtimeNs: bigint
  /** What it takes on the disk; less than `size` where it has holes or is compressed. */
  storedBytes: number
  /** When it was made; undefined where the file system does not know. */
  birthtimeNs?: bigint | undefined
  ctimeNs?: bigint | undefined
  /** Of a device file; 0 else. */
  deviceMajor: number
  deviceMinor: number
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

export interface GlobOptions {
  /** Called for everything that could not be looked at. */
  onBlind: (path: string, reason: string) => void
  /** Called for a directory that `**` does not enter because another file system is mounted on it. */
  onSkip?: ((path: string, reason: string) => void) | undefined
  signal?: AbortSignal | undefined
}

export interface GlobMatch {
  entry: Entry
  /** Positions of the patterns that match it, ascending. */
  patterns: number[]
}

export interface RunOptions {
  stdin?: string | Uint8Array | undefined
  env?: Record<string, string> | undefined
  /** Milliseconds; the program is then killed. What it started itself ends with the run at the latest. */
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

export interface StartOptions {
  env?: Record<string, string> | undefined
  /** The program is killed when it is aborted. */
  signal?: AbortSignal | undefined
}

/** A program that runs, for streams of any size. Who starts one awaits `ended`, or kills it. */
export interface RunningProgram {
  /** Resolves when there is room for more. Throws when the program has ended. */
  write(chunk: Uint8Array): Promise<void>
  /** Closes its standard input. */
  endInput(): Promise<void>
  /** Standard output; to be read once, and read, or the program waits for ever. */
  readonly stdout: AsyncIterable<Uint8Array>
  kill(): void
  /** How it ended. `stderr` is bounded: the middle of what is longer is cut out. Never rejects. */
  readonly ended: Promise<{ exitCode: number | null; signal: string | null; stderr: string }>
}

/** A part of a file. */
export interface ContentRange {
  offset: number
  bytes: number
}

/** How a server that begins in clear is asked for TLS. */
export type StartTls = 'smtp' | 'imap' | 'postgres'

export interface TlsTarget {
  /** Name or address, without brackets. */
  host: string
  port: number
  /** The name asked for (SNI). Default: `host`, unless that is an address. */
  serverName?: string | undefined
  startTls?: StartTls | undefined
  /** For everything: connecting, STARTTLS and handshake. Default 5000. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

/** What a server showed; nothing of it is verified. */
export interface TlsHandshake {
  /** DER, the server's own first. */
  certificates: Uint8Array[]
  /** "TLSv1.3" */
  protocol: string
}

/** One HTTP/1.1 request, to one address. Redirects are not followed. */
export interface HttpRequest {
  /** http or https. Its host is also the name that a certificate has to be for. */
  url: string
  /** Address to connect to instead of the URL's host. */
  connectTo?: string | undefined
  /** Unix socket to connect to instead. */
  socketPath?: string | undefined
  /** Default GET. */
  method?: string | undefined
  headers?: Record<string, string> | undefined
  body?: string | undefined
  /** For everything, from connecting to the last byte. Default 5000. */
  timeoutMs?: number | undefined
  /** Of the body; what is longer is cut. Default 64 KiB. */
  maxBodyBytes?: number | undefined
  /** PEM of whom to trust instead of the usual authorities. */
  authorities?: string | undefined
  signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  status: number
  /** In their order; names in lower case. */
  headers: [name: string, value: string][]
  body: Uint8Array
  /** The body was longer than maxBodyBytes. */
  truncated: boolean
  /** Over https. */
  tls?: TlsHandshake | undefined
  durationMs: number
}

/** A GET to a service on a unix socket; nothing else can be asked. */
export interface HttpQuestion {
  /** Path of the socket. */
  socket: string
  /** With the query: "/containers/json?all=1". */
  path: string
  /** For everything: connecting, asking and the whole answer. Default 5000. */
  timeoutMs?: number | undefined
  /** A longer answer is an error. Default 8 MiB. */
  maxBytes?: number | undefined
  signal?: AbortSignal | undefined
}

/** What the kernel knows of its clock, from whoever keeps it (adjtimex(2)). */
export interface KernelClock {
  /** A time service has told it, not long ago, that it agrees with a server. */
  synchronised: boolean
  /** What is still to be put right. */
  offsetMs: number
  estimatedErrorMs: number
  maxErrorMs: number
}

/** An open regular file for streaming. `stat` is of the open file, so it cannot be swapped in between. */
export interface FileSource {
  readonly stat: ExactStat
  /** Fills `buffer` from `position`; returns the bytes read, 0 at the end. */
  read(buffer: Uint8Array, position: number): number
  /** The open file as it is now: whether it changed since `stat`. */
  exactStat(): ExactStat
  /** As `HostReader.extendedAttributes`. */
  extendedAttributes(): ReadonlyMap<string, Uint8Array>
  /** Where it has content, in order; what is between reads as zeros. Undefined for a file without holes. */
  contentRanges(): ContentRange[] | undefined
  close(): void
}

/** A SQLite database as of one moment, as a file. While it is open its writers may have to wait. */
export interface DatabaseSource extends FileSource {
  /** What `PRAGMA integrity_check` found wrong, the first few; empty when nothing is. */
  readonly integrityErrors: string[]
}

/**
 * Other processes of this host as they were when the run started. Paths are as the process itself has them, which may be
 * in a container; processes are told by their ids.
 */
export interface ProcessSurvey {
  /** Who executes which file. */
  programs: Record<string, number[]>
  /** Files of which code is mapped: another one has taken their name since. */
  replaced: Record<string, number[]>
  /** The same: nothing has their name now. */
  removed: Record<string, number[]>
  /** Who has which listening TCP socket, by its inode. */
  listeners: Record<string, number[]>
  /** Processes that could not be looked at; threads of the kernel among them. */
  hidden: number[]
  /** There was more than can be told. */
  isCut: boolean
}

export interface HostReader {
  /** Directory in front of every path; "/" on a real host. */
  readonly root: string
  /** lstat; undefined when there is no such entry. */
  stat(path: string): FileStat | undefined
  exactStat(path: string): ExactStat | undefined
  /** By name, in the order of their names; access control lists and file capabilities as the kernel has them. */
  extendedAttributes(path: string): ReadonlyMap<string, Uint8Array>
  /** stat of what a link points at; undefined when that is missing. */
  statTarget(path: string): FileStat | undefined
  readLink(path: string): string
  /** Names in a directory, in the order of their UTF-16 code units. */
  list(path: string): string[]
  /**
   * Bytes of a regular file. Throws when it is larger than `maxBytes` (default 1 MiB), is no regular file,
   * or its last component is a link and `follow` is not set.
   */
  read(path: string, options?: { maxBytes?: number; follow?: boolean }): Uint8Array
  readText(path: string, options?: { maxBytes?: number; follow?: boolean }): string
  /** Opens a regular file for streaming, without following a link unless `follow` is set. */
  open(path: string, options?: { follow?: boolean }): FileSource
  /**
   * A SQLite database as it is between two commits, its write-ahead log included. Its directory must be readable.
   * Throws when it is none, is locked for long, or has a journal of a transaction that a crash has left.
   */
  openDatabase(path: string): Promise<DatabaseSource>
  /**
   * Whether any process has the file open for writing. Undefined where the kernel does not tell: another user's
   * file without CAP_LEASE, or a file system without leases.
   */
  isOpenForWriting(path: string): boolean | undefined
  /**
   * Processes that had the file open for writing when the run started, as "nginx[812]"; undefined where that was
   * not to be seen. Needs `permissions.writers`.
   */
  writersOf(file: Pick<FileStat, 'dev' | 'ino'>): string[] | undefined
  /** Undefined where nobody looked. Needs `permissions.processes`. */
  processSurvey(): ProcessSurvey | undefined
  /**
   * Entries that match a pattern, in tree order. A plain path matches itself. `*` and `?` do not cross "/" and,
   * first in a name, do not match a leading dot; `**` is any number of directories, hidden ones too, of the same
   * file system; `[a-z]`, `[!a-z]`, `{a,b}` as in a shell. A link is followed only where the pattern names it as
   * a directory on the way, and only when it belongs to root or to this process's user.
   */
  glob(pattern: string, onBlind: (path: string, reason: string) => void): Entry[]
  /** Like `glob` for many patterns in one pass: each entry once, in tree order, in batches of a few thousand. */
  globAll(patterns: string[], options: GlobOptions): AsyncIterable<GlobMatch[]>
  /** All below a directory, itself first, in tree order (`compareTreeOrder`), in batches of a few thousand. */
  walk(start: string, options: WalkOptions): AsyncIterable<Entry[]>
  /**
   * All below a directory, itself first, as records in tree order by bytes, in batches of a few thousand: for trees
   * of any size, paths of any length, with mounts told apart. Needs `permissions.list`.
   */
  scan(start: string, options: ScanOptions): AsyncIterable<ScanBatch>
  /**
   * What a stat does not say, of many entries at once, with all processors: for each request its details, or the
   * error that kept them from being read (errno in `code`). Contents need `permissions.read`.
   */
  readDetails(requests: readonly DetailRequest[], signal?: AbortSignal): Promise<(EntryDetails | Error)[]>
  /** One entry, links not followed, with details; undefined when there is no such entry. Throws when one cannot be read. */
  examine(path: string, wanted: readonly Detail[]): Promise<EntryState | undefined>
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
  /** Starts a declared program, without a shell, for streaming to and from it. Throws when it cannot be started. */
  start(argv: [string, ...string[]], options?: StartOptions): RunningProgram
  /** Shakes hands with a server that `permissions.net` names. Throws when it shows no certificate in time. */
  handshake(target: TlsTarget): Promise<TlsHandshake>
  /**
   * Asks a server that `permissions.net` names. Throws when there is no whole answer in time; `code` of the error is
   * "ECONNREFUSED" where nothing listens, "EUNTRUSTED" where the certificate is not to be trusted.
   */
  request(request: HttpRequest): Promise<HttpAnswer>
  /**
   * Asks a service on a unix socket that `permissions.net` names as "unix-get:/path". Throws when it does not answer
   * whole and in time.
   */
  ask(question: HttpQuestion): Promise<{ status: number; body: string }>
  /** Addresses of this host's interfaces, without link-local ones. Needs any `permissions.net`. */
  addresses(): string[]
  /** Bytes that this process may still write on the file system of `path`. */
  freeBytes(path: string): number
  /** Size of the file system of `path`. */
  fileSystemBytes(path: string): number
  /** The clock of the running kernel; undefined where it may not be asked, and below another root than the kernel's. */
  clock(): Promise<KernelClock | undefined>
}

/** What was read and what was written: bytes, and SHA-256 in hex. */
export interface Compressed {
  read: { bytes: number; sha256: string }
  written: { bytes: number; sha256: string }
}

/** A new file under a temporary name beside its final one. */
export interface FileSink {
  readonly temporaryPath: string
  write(chunk: Uint8Array): void
  /**
   * Writes all of a file compressed, also what is appended to it meanwhile; reads that back, compares the content and
   * syncs it. On a thread at idle priority, several at a time where several sinks do; memory does not grow with the
   * file. Larger ones become several gzip members or Zstandard frames. Needs a sink that is `readable`, still empty.
   */
  compress(source: FileSource, format: 'gzip' | 'zstd', signal: AbortSignal): Promise<Compressed>
  /** fsync of what is written so far. */
  sync(): void
  /** fsync, rename to the final name, fsync the directory; without the two fsyncs when not `durable`. */
  commit(options?: { durable?: boolean }): void
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
  /** A known temporary name in the same directory, so that a later run can find what a crash left. Default: random. */
  temporaryPath?: string
  /** What is written can be read back. */
  readable?: boolean
  /** Time of last change of the finished file. Default: when it was written. */
  mtimeMs?: number
}

/** What an entry of a tree gets besides its content. */
export interface EntryAttributes {
  /** Undefined: the one that it was made with. */
  owner: { uid: number; gid: number } | undefined
  /** Permission bits, 0o7777; undefined where it has none of its own. */
  mode: number | undefined
  /** Extended attributes by name. */
  extended: ReadonlyMap<string, Uint8Array> | undefined
  mtimeNs: bigint
}

/** How many owners and extended attributes could not be set. */
export interface AttributesLost {
  owners: number
  extended: number
}

/** An open file or directory of a tree that is being made: all that is set goes through the handle. */
export interface TreeEntry {
  /** Files only. */
  write(chunk: Uint8Array): void
  /** Files only: leaves a hole of so many bytes. */
  skip(bytes: number): void
  setMode(mode: number): void
  /**
   * Last of all. Where the owner may not be set, the entry gets neither the bits that give the rights of its owner nor
   * file capabilities: it would give those of somebody else.
   */
  setAttributes(wanted: EntryAttributes): AttributesLost
  close(): void
}

export interface SmallFile {
  path: string
  /** Of its content, in bytes. */
  size: number
  attributes: EntryAttributes
}

/** What became of a file: all of it is as it should be unless there is an error. */
export interface MadeFile {
  path: string
  lost: AttributesLost
  error: Error | undefined
}

/**
 * Makes small files as `TreeWriter.createFile` and `TreeEntry.setAttributes` do, many at a time, on a thread of its own
 * once there are many. What became of them is told during later calls of it. Each call may throw that content could not
 * be written, or that the disk is full, of any file since.
 */
export interface FileMaker {
  /** The next file, of which the content follows; false for one that is too large, and is not made. */
  add(file: SmallFile): boolean
  write(chunk: Uint8Array): void
  /** Whether a file was added, and may not be there yet. */
  isPending(path: string): boolean
  /** Waits until all that was added is made. */
  finish(): void
  /** Makes no more. Afterwards nothing touches the tree. */
  close(): void
}

/**
 * Makes a tree aside and moves it into place. Nothing is fsynced one by one: what must be durable is synced as
 * a whole, by `sync -f`. Everything is made private (0600, 0700), whatever the umask.
 */
export interface TreeWriter {
  /** O_EXCL, under its final name at once. */
  createFile(path: string): TreeEntry
  makeFiles(onMade: (file: MadeFile) => void): FileMaker
  makeDirectory(path: string): void
  openDirectory(path: string): TreeEntry
  makeSymlink(path: string, target: string): void
  /** As `TreeEntry.setAttributes`, of a link itself, or of what cannot be opened, such as a device. */
  setAttributes(path: string, wanted: EntryAttributes): AttributesLost
  makeHardLink(path: string, existing: string): void
  /** rename. Never replaces an existing entry unless `replace`. */
  move(from: string, to: string, options?: { replace?: boolean }): void
  /** Removes an entry and all below it, links not followed. */
  removeTree(path: string): void
}

export interface HostWriter extends HostReader {
  /** Opens a new file (O_EXCL, O_NOFOLLOW) under a temporary name for streaming. */
  create(path: string, options?: CreateOptions): FileSink
  /** The whole of a file, atomically and durably. */
  writeFile(path: string, data: string | Uint8Array, options?: CreateOptions): void
  /**
   * chmod through a handle that needs no permission on the entry itself; returns what the entry is then.
   * Refused when the path has a link in it, when the entry is no longer the one in `expected` (type, device and
   * inode), when it has further names and users other than root can make names beside it, and when the kernel
   * does not keep the mode. Needs `permissions.attributes` (or `write`).
   */
  setMode(path: string, expected: FileStat, mode: number): FileStat
  /** chown like setMode. It takes setuid, setgid and file capabilities from a program: set the mode after it. */
  setOwner(path: string, expected: FileStat, uid: number, gid: number): FileStat
  /**
   * Sets an extended attribute (`value` null: removes it) like setMode; "system.posix_acl_access" is the access
   * control list, which changes the mode with it. A symbolic link has none.
   */
  setAttribute(path: string, expected: FileStat, name: string, value: Uint8Array | null): FileStat
  /**
   * rename, then fsync of both directories. Never replaces an existing file unless `replace`. With
   * `durable: false` the fsyncs are left to `syncDirectory`, for many renames in one directory.
   */
  rename(from: string, to: string, options?: { replace?: boolean; durable?: boolean }): void
  /** A second name for a file; never replaces one. Durable only after `syncDirectory`. */
  link(from: string, to: string): void
  syncDirectory(path: string): void
  /** unlink or rmdir, then fsync of the directory unless `durable: false`. */
  remove(path: string, options?: { durable?: boolean }): void
  /**
   * Truncates a regular file to nothing, without following a link. With `expected` it throws when the file is
   * another one (device and inode), and returns false, the file untouched, when its size is another.
   */
  truncate(
    path: string,
    expected?: Pick<FileStat, 'dev' | 'ino' | 'size'>,
    /** Told how long it took from the look at the size to the truncation, in milliseconds. */
    onGap?: (gapMs: number) => void,
  ): boolean
  makeDirectory(path: string, mode: number): void
  /** For many entries at once, as in a restore. */
  tree(): TreeWriter
  /**
   * The same host, with the entries of one directory reached through a handle of it. The handle is opened
   * component by component without following a link, and stays on that directory whatever is renamed above.
   */
  openDirectory(path: string): HostDirectory
}

export interface HostDirectory extends HostWriter {
  close(): void
}
