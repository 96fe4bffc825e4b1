import { randomBytes } from 'node:crypto'
import { describeError, type HostWriter, UserError } from '../../../agent/contract/mod.ts'
import type { ArchiveSummary } from '../archive/manifest.ts'
import type { OpenedMessage } from '../encryption.ts'
import { readBackup } from '../read.ts'
import { compileSelection } from './name.ts'
import { RestoreOutcome } from './outcome.ts'
import { Placement } from './place.ts'
import { StagedTree, SYNC } from './stage.ts'

export interface RestoreOptions {
  target: string
  patterns: string[]
  overwrite: boolean
  /** Of the whole object, as its host has signed it; undefined where that is not known. */
  sha256?: string | undefined
}

export interface Restored {
  summary: ArchiveSummary
  outcome: RestoreOutcome
}

/**
 * Restores into a directory that exists. Everything is built aside, and comes to its place only when the whole
 * backup was read, authenticated and compared with its manifest: of a damaged one, nothing is restored.
 */
export async function restore(
  host: HostWriter,
  stored: AsyncIterable<Uint8Array>,
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
  const staging = `${target === '/' ? '' : target}/.reeve-restore-${randomBytes(6).toString('hex')}`
  const staged = new StagedTree(host, staging, compileSelection(options.patterns), outcome)
  try {
    requirePrivateTarget(host, target, staged.own.uid)
    const summary = await readTrusted(stored, unlock, staged, options).catch((cause) => {
      if (cause instanceof UserError) throw cause
      throw new Error(`${describeError(cause)}; nothing was restored`, { cause })
    })
    await staged.finish()
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

async function readTrusted(
  stored: AsyncIterable<Uint8Array>,
  unlock: (message: OpenedMessage) => Promise<Uint8Array>,
  staged: StagedTree,
  { sha256 }: RestoreOptions,
): Promise<ArchiveSummary> {
  const found = await readBackup(stored, unlock, staged)
  if (sha256 !== undefined && found.sha256 !== sha256) throw new Error('it is not what its host has signed')
  return found.summary
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
