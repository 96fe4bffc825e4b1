import { closeSync, constants, lstatSync, openSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import type { Detail, DetailRequest, EntryDetails, EntryState } from '../contract/entry-state.ts'
import type {
  DatabaseSource,
  Entry,
  ExactStat,
  FileSource,
  FileStat,
  GlobMatch,
  GlobOptions,
  HostReader,
  HttpAnswer,
  HttpQuestion,
  HttpRequest,
  KernelClock,
  ProcessSurvey,
  RunningProgram,
  RunOptions,
  RunResult,
  StartOptions,
  TlsHandshake,
  TlsTarget,
  WalkOptions,
} from '../contract/host.ts'
import type { ScanBatch, ScanOptions } from '../contract/scan.ts'
import { expandBraces } from '../lib/glob.ts'
import { directoryName, globBase, isGlob } from '../lib/path.ts'
import { Accounts } from './accounts.ts'
import { ownAddresses } from './connection.ts'
import type { DetailReader } from './details.ts'
import { toExactStat } from './exact-stat.ts'
import { extendedAttributes } from './extended-attributes.ts'
import { attempt, listNames, statOrUndefined } from './files.ts'
import { globBatches, globEntries } from './glob.ts'
import { demand, type Grants } from './grants.ts'
import { isOpenForWriting } from './lease.ts'
import { decodeName, toSystemPath } from './names.ts'
import { OpenFile } from './open-file.ts'
import { runProgram, startProgram } from './program.ts'
import { followBelow } from './root-links.ts'
import { walkTree } from './walk.ts'
import { fileKey, type Writers } from './writers.ts'

const DEFAULT_MAX_BYTES = 1_048_576
/** For a file that does not say its size. */
const FIRST_BYTES = 65_536

/** Looks at the host below `root`, within what is granted. */
export class LocalHostReader implements HostReader {
  protected readonly accounts: Accounts
  private details: DetailReader | undefined

  constructor(
    readonly root: string,
    protected readonly grants: Grants,
    private readonly writers?: Writers,
    private readonly processes?: ProcessSurvey,
  ) {
    this.accounts = new Accounts(root === '/' ? '' : root)
  }

  /** The path to hand to a system call. Not by node:path, which would spoil names that are no UTF-8. */
  protected real(path: string): string | Buffer {
    return toSystemPath(this.root === '/' ? path : this.root + path)
  }

  /** As `real`, with links followed as on the host whose root this is: none leads out of it. */
  private target(path: string): string | Buffer {
    return this.real(this.root === '/' ? path : followBelow(this.root, path))
  }

  stat(path: string): FileStat | undefined {
    return statOrUndefined(() => lstatSync(this.real(path)), path)
  }

  exactStat(path: string): ExactStat | undefined {
    return attempt('look at', path, () => {
      const stat = lstatSync(this.real(path), { bigint: true, throwIfNoEntry: false })
      return stat && toExactStat(stat)
    })
  }

  extendedAttributes(path: string): ReadonlyMap<string, Uint8Array> {
    return attempt('read the attributes of', path, () => extendedAttributes(this.real(path)))
  }

  statTarget(path: string): FileStat | undefined {
    return statOrUndefined(() => statSync(this.target(path)), path)
  }

  readLink(path: string): string {
    return attempt(`read the link`, path, () => decodeName(readlinkSync(this.real(path), 'buffer')))
  }

  list(path: string): string[] {
    demand(this.grants, 'list', path, 'list')
    return attempt('list', path, () => listNames(this.real(path)))
  }

  read(path: string, options: { maxBytes?: number; follow?: boolean } = {}): Uint8Array {
    const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    const source = this.openFile(path, options.follow ?? false)
    try {
      if (source.stat.size > maxBytes) {
        throw new Error(`Cannot read "${path}": ${source.stat.size} bytes, at most ${maxBytes} are read`)
      }
      // Files below /proc say 0 bytes: read until the end, not to the size.
      let buffer = Buffer.allocUnsafeSlow(Math.min(source.stat.size || FIRST_BYTES, maxBytes) + 1)
      for (let total = 0; ; ) {
        const count = source.read(buffer.subarray(total), total)
        if (count === 0) return buffer.subarray(0, total)
        total += count
        if (total > maxBytes) throw new Error(`Cannot read "${path}": more than ${maxBytes} bytes`)
        if (total < buffer.length) continue
        const wider = Buffer.allocUnsafeSlow(Math.min(2 * total, maxBytes + 1))
        buffer.copy(wider)
        buffer = wider
      }
    } finally {
      source.close()
    }
  }

  readText(path: string, options?: { maxBytes?: number; follow?: boolean }): string {
    const bytes = this.read(path, options)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  }

  open(path: string, options: { follow?: boolean } = {}): FileSource {
    return this.openFile(path, options.follow ?? false)
  }

  private openFile(path: string, follow: boolean): FileSource {
    demand(this.grants, 'read', path, 'read')
    // O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused below.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW)
    return attempt(
      'read',
      path,
      () => new OpenFile(path, openSync(follow ? this.target(path) : this.real(path), flags)),
    )
  }

  async openDatabase(path: string): Promise<DatabaseSource> {
    demand(this.grants, 'read', directoryName(path), 'read')
    const { openDatabaseSnapshot } = await import('./database-snapshot.ts')
    return attempt('read the database', path, () => openDatabaseSnapshot(this.realText(path)))
  }

  /** The path as text, for what takes no bytes. */
  private realText(path: string): string {
    const real = this.real(path)
    if (typeof real === 'string') return real
    throw new Error('its name is no UTF-8')
  }

  isOpenForWriting(path: string): boolean | undefined {
    demand(this.grants, 'read', path, 'read')
    return attempt('read', path, () => {
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
      const descriptor = openSync(this.real(path), flags)
      try {
        return isOpenForWriting(descriptor)
      } finally {
        closeSync(descriptor)
      }
    })
  }

  writersOf(file: Pick<FileStat, 'dev' | 'ino'>): string[] | undefined {
    return this.writers && (this.writers[fileKey(file)] ?? [])
  }

  processSurvey(): ProcessSurvey | undefined {
    return this.processes
  }

  glob(pattern: string, onBlind: (path: string, reason: string) => void): Entry[] {
    for (const alternative of expandBraces(pattern)) {
      if (isGlob(alternative)) demand(this.grants, 'list', globBase(alternative), 'list')
    }
    return globEntries(this.root, pattern, onBlind)
  }

  globAll(patterns: string[], options: GlobOptions): AsyncIterable<GlobMatch[]> {
    for (const pattern of patterns.flatMap(expandBraces)) {
      if (isGlob(pattern)) demand(this.grants, 'list', globBase(pattern), 'list')
    }
    return globBatches(this.root, patterns, options)
  }

  walk(start: string, options: WalkOptions): AsyncIterable<Entry[]> {
    demand(this.grants, 'list', start, 'walk')
    return walkTree(this.root, start, options)
  }

  async *scan(start: string, options: ScanOptions): AsyncGenerator<ScanBatch> {
    demand(this.grants, 'list', start, 'scan')
    // Loaded when it is needed: its calls are compiled at that moment.
    const { scanTree } = await import('./scan.ts')
    yield* scanTree(this.root, start, options)
  }

  async readDetails(
    requests: readonly DetailRequest[],
    signal?: AbortSignal,
  ): Promise<(EntryDetails | Error)[]> {
    for (const { path, type, wanted } of requests) {
      if (type === 'file' && wanted.includes('sha256')) demand(this.grants, 'read', path, 'read')
    }
    if (!this.details) {
      const { DetailReader } = await import('./details.ts')
      this.details = new DetailReader(this.root === '/' ? '' : this.root)
    }
    return this.details.read(requests, signal)
  }

  async examine(path: string, wanted: readonly Detail[]): Promise<EntryState | undefined> {
    const { lookAtOne } = await import('./scan.ts')
    const state = attempt('look at', path, () => lookAtOne(this.root, path))
    if (!state) return undefined
    const [details] = await this.readDetails([{ ...state, wanted }])
    if (details instanceof Error) throw details
    return { ...state, ...details }
  }

  userName(uid: number): string {
    return this.accounts.userName(uid)
  }

  groupName(gid: number): string {
    return this.accounts.groupName(gid)
  }

  userId(name: string): number | undefined {
    return this.accounts.userId(name)
  }

  groupId(name: string): number | undefined {
    return this.accounts.groupId(name)
  }

  homes(): Map<string, string> {
    return this.accounts.homes()
  }

  run(argv: [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
    return runProgram(this.grants, argv, options)
  }

  start(argv: [string, ...string[]], options: StartOptions = {}): RunningProgram {
    return startProgram(this.grants, argv, options)
  }

  async handshake(target: TlsTarget): Promise<TlsHandshake> {
    return (await import('./tls.ts')).shakeHands(this.grants, target)
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    return (await import('./http.ts')).requestHttp(this.grants, request)
  }

  async ask(question: HttpQuestion): Promise<{ status: number; body: string }> {
    const { askOverSocket } = await import('./unix-get.ts')
    // A root directory in front is that of a test, as with every path.
    return askOverSocket(this.grants, question, this.root === '/' ? '' : this.root)
  }

  addresses(): string[] {
    return ownAddresses()
  }

  freeBytes(path: string): number {
    return attempt('look at the file system of', path, () => {
      const { bavail, bsize } = statfsSync(this.real(path) as string)
      return bavail * bsize
    })
  }

  fileSystemBytes(path: string): number {
    return attempt('look at the file system of', path, () => {
      const { blocks, bsize } = statfsSync(this.real(path) as string)
      return blocks * bsize
    })
  }

  async clock(): Promise<KernelClock | undefined> {
    if (this.root !== '/') return undefined
    const { kernelClock } = await import('./clock.ts')
    return kernelClock()
  }
}
