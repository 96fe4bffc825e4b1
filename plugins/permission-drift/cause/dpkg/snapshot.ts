import { gunzipSync, gzipSync } from 'node:zlib'
import { type HostWriter, type Json, z } from '../../../../agent/contract/mod.ts'
import type { DpkgDatabase } from './database.ts'
import { pathsIn } from './generated.ts'
import { PathIndex } from './path-index.ts'

const head = z.strictObject({
  version: z.literal(2),
  /** Inode, size and time of dpkg's status file: whether it is the same still. */
  status: z.string(),
  takenMs: z.number(),
  /** Keyed identities of the lines of account files. */
  accounts: z.record(z.string(), z.record(z.string(), z.string())),
})
type Head = z.output<typeof head>

const packageLine = z.strictObject({
  name: z.string(),
  /** What it ships. */
  paths: z.array(z.string()),
  /** What its scripts name. */
  named: z.array(z.string()),
})
type PackageLine = z.output<typeof packageLine>

const MAX_BYTES = 512 * 1024 * 1024
const MEMBER_BYTES = 262_144
/** The runtime lets garbage grow with the memory of the machine; all lists of a host would leave 40 MB of it. */
const COLLECT_EVERY = 8

/** What a check has to remember of dpkg to explain, later, what is then gone. */
export class Snapshot implements Readonly<Omit<Head, 'version'>> {
  readonly status: string
  readonly takenMs: number
  readonly accounts: Head['accounts']
  private opened: { names: string[]; owners: PathIndex; named: Map<string, string[]> } | undefined

  constructor(
    { status, takenMs, accounts }: Head,
    private readonly packages: Uint8Array,
  ) {
    this.status = status
    this.takenMs = takenMs
    this.accounts = accounts
  }

  /** Packages that shipped a path then. */
  ownersOf(path: string): string[] {
    const { names, owners } = this.open()
    return owners.numbersOf(path).flatMap((number) => names[number] ?? [])
  }

  /** Paths that the scripts of each package named. */
  get named(): ReadonlyMap<string, readonly string[]> {
    return this.open().named
  }

  private open() {
    if (this.opened) return this.opened
    const names: string[] = []
    const owners = new PathIndex()
    const named = new Map<string, string[]>()
    for (const line of linesOf(gunzipSync(this.packages, { maxOutputLength: MAX_BYTES }))) {
      const item = packageLine.parse(JSON.parse(line) as Json)
      for (const path of item.paths) owners.add(path, names.length)
      if (item.named.length > 0) named.set(item.name, item.named)
      names.push(item.name)
    }
    this.opened = { names, owners, named }
    return this.opened
  }
}

function fileOf(stateDir: string): string {
  return `${stateDir}/packages.gz`
}

/**
 * The one of the last check; undefined when there is none. One that was not made with the key of this host
 * is none either: it only ever explains, and then explains nothing.
 */
export function readSnapshot(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: Uint8Array) => string,
): Snapshot | undefined {
  const path = fileOf(stateDir)
  if (!state.stat(path)) return undefined
  try {
    const bytes = Buffer.from(state.read(path, { maxBytes: MAX_BYTES }))
    const seal = bytes.indexOf('\n')
    const body = bytes.subarray(seal + 1)
    if (bytes.toString('latin1', 0, Math.max(0, seal)) !== fingerprint(body)) return undefined
    const end = body.indexOf('\n')
    return new Snapshot(head.parse(JSON.parse(body.toString('utf8', 0, end)) as Json), body.subarray(end + 1))
  } catch {
    return undefined // damaged: what is gone is then not explained, but told
  }
}

/**
 * Writes a seal, a line for the head, and, compressed, one for each package. Only what is compressed is ever held
 * as a whole: a million shipped paths are a few megabytes of it.
 */
export function writeSnapshot(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: Uint8Array) => string,
  { status, takenMs, accounts }: Omit<Head, 'version'>,
  packages: Iterable<PackageLine>,
): void {
  const start = JSON.stringify({ version: 2, status, takenMs, accounts } satisfies Head)
  const parts = [Buffer.from(`${start}\n`)]
  Bun.gc(true) // what the scan of the trees left
  let lines = ''
  for (const item of packages) {
    lines += `${JSON.stringify(item)}\n`
    if (lines.length < MEMBER_BYTES) continue
    parts.push(gzipSync(lines, { level: 1 }))
    lines = ''
    if (parts.length % COLLECT_EVERY === 0) Bun.gc(true)
  }
  // Members of gzip one after the other are one file (RFC 1952, section 2.2); it has one at least.
  parts.push(gzipSync(lines, { level: 1 }))
  const body = Buffer.concat(parts)
  const file = state.create(fileOf(stateDir), { replace: true })
  try {
    file.write(Buffer.from(`${fingerprint(body)}\n`))
    file.write(body)
    file.commit()
  } finally {
    file.abort()
  }
}

/** Of each package what it ships and names of what is wanted. */
export function* packagesOf(
  database: DpkgDatabase,
  isWanted: (path: string) => boolean,
): Generator<PackageLine> {
  for (const name of database.names()) {
    const paths = [...new Set(database.pathsOf(name).filter(isWanted))]
    const named = database.packages.has(name) ? [...pathsIn(database.scriptsOf(name))].filter(isWanted) : []
    if (paths.length > 0 || named.length > 0) yield { name, paths, named }
  }
}

function* linesOf(bytes: Buffer): Generator<string> {
  for (let start = 0; ; ) {
    const end = bytes.indexOf('\n', start)
    if (end < 0) return
    yield bytes.toString('utf8', start, end)
    start = end + 1
  }
}
