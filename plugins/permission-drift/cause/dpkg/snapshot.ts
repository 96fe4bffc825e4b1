import { gunzipSync, gzipSync } from 'node:zlib'
import { type HostWriter, z } from '../../../../agent/contract/mod.ts'
import type { DpkgDatabase } from './database.ts'
import { pathsIn } from './generated.ts'

const account = z.record(z.string(), z.string())

/**
 * What a check has to remember of dpkg to explain, later, what is then gone: who shipped which path, which paths
 * scripts named, and keyed identities of the lines of account files.
 */
const snapshot = z.strictObject({
  version: z.literal(1),
  /** Size and times of dpkg's status file: whether it is the same still. */
  status: z.string(),
  takenMs: z.number(),
  owners: z.record(z.string(), z.array(z.string())),
  named: z.record(z.string(), z.array(z.string())),
  accounts: z.record(z.string(), account),
})
export type Snapshot = z.output<typeof snapshot>

const MAX_BYTES = 512 * 1024 * 1024

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
  fingerprint: (value: string) => string,
): Snapshot | undefined {
  const path = fileOf(stateDir)
  if (!state.stat(path)) return undefined
  try {
    const text = gunzipSync(state.read(path, { maxBytes: MAX_BYTES })).toString('utf8')
    const end = text.indexOf('\n')
    const body = text.slice(end + 1)
    if (text.slice(0, end) !== fingerprint(body)) return undefined
    return snapshot.parse(JSON.parse(body))
  } catch {
    return undefined // damaged: what is gone is then not explained, but told
  }
}

export function writeSnapshot(
  state: HostWriter,
  stateDir: string,
  fingerprint: (value: string) => string,
  value: Snapshot,
): void {
  const body = JSON.stringify(value)
  const bytes = gzipSync(`${fingerprint(body)}\n${body}`, { level: 1 })
  state.writeFile(fileOf(stateDir), bytes, { replace: true })
}

export function takeSnapshot(
  database: DpkgDatabase,
  isWanted: (path: string) => boolean,
  { status, now, accounts }: { status: string; now: Date; accounts: Snapshot['accounts'] },
): Snapshot {
  const owners: Snapshot['owners'] = {}
  for (const [path, stems] of database.ownership()) {
    if (!isWanted(path)) continue
    const names = stems.map((stem) => stem.replace(/:.*/, '')).join(' ')
    const list = owners[names]
    if (list) list.push(path)
    else owners[names] = [path]
  }
  const named: Snapshot['named'] = {}
  for (const name of database.packages.keys()) {
    const paths = [...pathsIn(database.scriptsOf(name))].filter(isWanted)
    if (paths.length > 0) named[name] = paths
  }
  return { version: 1, status, takenMs: now.getTime(), owners, named, accounts }
}
