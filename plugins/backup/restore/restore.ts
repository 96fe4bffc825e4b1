import { randomBytes } from 'node:crypto'
import { describeError, type HostWriter, UserError } from '../../../agent/contract/mod.ts'
import type { ArchiveSummary } from '../archive/manifest.ts'
import type { BackupHandler } from '../archive/reader.ts'
import type { OpenedMessage } from '../encryption.ts'
import { isRunning } from '../process.ts'
import { readBackup } from '../read.ts'
import type { Contents } from './contents.ts'
import { compileSelection } from './name.ts'
import { RestoreOutcome } from './outcome.ts'
import { Placement } from './place.ts'
import { StagedTree, SYNC } from './stage.ts'

export interface RestoreOptions {
  target: string
  patterns: string[]
  overwrite: boolean
  /** Gets what is restored, to compare with it. */
  contents?: Contents | undefined
}

/** One stored backup. */
export interface StoredLayer {
  name: string
  stored(): AsyncIterable<Uint8Array>
  /** Of the whole object, as its host has signed it; undefined where that is not known. */
  sha256?: string | undefined
}

const STAGING_PREFIX = '.reeve-restore-'
const STAGING_NAME = /^\.reeve-restore-(\d+)-[0-9a-f]{12}$/

export interface Restored {
  summary: ArchiveSummary
  outcome: RestoreOutcome
}

/**
 * Restores a full backup and the changes since, in this order, into a directory that exists. Everything is built
 * aside, and comes to its place only when all of it was read, authenticated and compared with its manifest: where
 * anything is damaged, nothing is restored. After a restore that was cut off, the same one goes on: what is in its
 * place already is left as it is.
 */
export async function restore(
  host: HostWriter,
  layers: readonly StoredLayer[],
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  options: RestoreOptions,
): Promise<Restored> {
  const { target } = options
  const outcome = new RestoreOutcome()
  if (host.stat(target)?.type !== 'directory') {
    throw new UserError(
      `Cannot restore to "${target}": there is no such directory. Make it first, with mode 0700`,
    )
  }
  removeLeftovers(host, target)
  const random = randomBytes(6).toString('hex')
  const staging = `${target === '/' ? '' : target}/${STAGING_PREFIX}${process.pid}-${random}`
  const staged = new StagedTree(host, staging, compileSelection(options.patterns), outcome)
  try {
    requirePrivateTarget(host, target, staged.own.uid)
    const summary = await readLayers(layers, unlock, staged, options.contents).catch((cause) => {
      if (cause instanceof UserError) throw cause
      throw new Error(`${describeError(cause)}; nothing was restored`, { cause })
    })
    await staged.finish()
    staged.prepareDirectories()
    await sync(host, staging)
    const placement = new Placement(host, staged, target, options.overwrite, outcome)
    placement.run()
    staged.finishDirectories((name) => placement.newDirectory(name))
    await sync(host, target)
    return { summary, outcome }
  } finally {
    staged.remove()
  }
}

async function readLayers(
  layers: readonly StoredLayer[],
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  staged: StagedTree,
  contents: Contents | undefined,
): Promise<ArchiveSummary> {
  const handler = contents ? both(staged, contents) : staged
  let summary: ArchiveSummary | undefined
  let before: string | undefined
  for (const { name, stored, sha256 } of layers) {
    if (before !== undefined) staged.nextLayer(before)
    const found = await readBackup(stored(), unlock, handler)
    if (sha256 !== undefined && found.sha256 !== sha256)
      throw new Error(`"${name}" is not what its host has signed`)
    staged.endLayer()
    contents?.endLayer()
    summary = found.summary
    before = name
  }
  if (!summary) throw new Error('there is no backup')
  return summary
}

function both(staged: StagedTree, contents: Contents): BackupHandler {
  return {
    about: (about) => staged.about(about),
    entry(entry) {
      staged.entry(entry)
      contents.entry(entry)
    },
    data: (chunk) => staged.data(chunk),
    hole: (bytes) => staged.hole(bytes),
    entryEnd(sha256) {
      staged.entryEnd()
      contents.entryEnd(sha256)
    },
    removed(name) {
      staged.removed(name)
      contents.removed(name)
    },
  }
}

/** Takes away what a restore that was killed has built aside. */
function removeLeftovers(host: HostWriter, target: string): void {
  for (const name of host.list(target)) {
    const pid = STAGING_NAME.exec(name)?.[1]
    if (pid === undefined || Number(pid) === process.pid || isRunning(host, Number(pid))) continue
    host.tree().removeTree(`${target === '/' ? '' : target}/${name}`)
  }
}

/** Where others may rename what is being restored, they could put links in its place. */
function requirePrivateTarget(host: HostWriter, target: string, ownUid: number): void {
  const stat = host.stat(target)
  if (!stat) throw new Error(`Cannot restore to "${target}": it was removed`)
  const othersWrite = (stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0
  if ((stat.uid === ownUid || stat.uid === 0) && !othersWrite) return
  throw new UserError(
    `Cannot restore to "${target}": take a directory of your own that nobody else may write in`,
  )
}

async function sync(host: HostWriter, path: string): Promise<void> {
  const real = host.root === '/' ? path : `${host.root}${path}`
  const result = await host.run([SYNC, '-f', real])
  if (result.exitCode !== 0) throw new Error(`Cannot sync "${path}": ${result.stderr.trim()}`)
}
