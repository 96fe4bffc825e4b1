import { type EntryState, type HostWriter, isWithin } from '../../../../agent/contract/mod.ts'
import type { Cause, Change } from '../../change.ts'
import { type Evidence, isData, isHarmless, readEvidence, within } from '../evidence.ts'
import { absoluteTarget, Look } from '../look.ts'
import { ACCOUNT_FILES, accountLines } from './accounts.ts'
import { byInvocation, byPackage, WORKING_FILE } from './cause.ts'
import { DPKG, DpkgDatabase } from './database.ts'
import { controlFileOf, generatorOf, isWorkingFile, pythonSourceOf } from './generated.ts'
import { Installation } from './installation.ts'
import { type Invocation, parseDpkgLog, type Work } from './log.ts'
import { packagesOf, readSnapshot, type Snapshot, writeSnapshot } from './snapshot.ts'

const LOGS = ['/var/log/dpkg.log.1', '/var/log/dpkg.log']
/** What another content of the same file changes. */
const OF_CONTENT = new Set<string>(['size', 'content', 'target', 'mtime', 'inode', 'links'])

/**
 * Changes that dpkg made: what packages ship (proved by dpkg's digest of the content, and by the time at which
 * dpkg was at work on that very package), and what comes with their installation.
 */
export class DpkgPackages {
  private opened:
    | { database: DpkgDatabase; invocations: Invocation[]; installation: Installation }
    | undefined
  private isOpen = false
  private remembered: { snapshot: Snapshot | undefined } | undefined
  private readonly look: Look

  constructor(
    private readonly evidence: Evidence,
    private readonly place: { state: HostWriter; stateDir: string },
    /** Whether a path is looked at by the job at all. */
    private readonly isWanted: (path: string) => boolean,
  ) {
    this.look = new Look(evidence)
  }

  explain(change: Change): Cause | undefined {
    const opened = this.open()
    if (!opened) return undefined
    if (change.kind === 'removed') return this.explainRemoval(opened.database, change.before)
    const { after } = change
    const owners = opened.database.ownersOf(after.path)
    if (owners.length > 0) return this.explainShipped(opened.database, change, owners)
    if (isWorkingFile(after.path) && after.type !== 'symlink' && isData(after)) return WORKING_FILE
    return opened.installation.explain(after)
  }

  /**
   * To be called when all changes were asked for: remembers what a later check needs. Nothing is written while
   * the packages are as they were.
   */
  remember(): void {
    const { host, fingerprint, now } = this.evidence
    const stat = host.exactStat(`${DPKG}/status`)
    if (!stat) return
    const status = `${stat.ino} ${stat.size} ${stat.mtimeNs}`
    const accounts = this.accounts()
    const snapshot = this.recall()
    if (snapshot?.status === status && Bun.deepEquals(snapshot.accounts, accounts)) return
    const database = this.open()?.database
    if (!database) return
    const { state, stateDir } = this.place
    const head = { status, takenMs: now.getTime(), accounts }
    writeSnapshot(state, stateDir, fingerprint, head, packagesOf(database, this.isWanted))
  }

  private open() {
    if (this.isOpen) return this.opened
    this.isOpen = true
    const database = DpkgDatabase.open(this.evidence)
    if (!database) return undefined
    const invocations = LOGS.flatMap((path) => {
      const text = readEvidence(this.evidence, path)
      const stat = this.evidence.host.exactStat(path)
      return text !== undefined && stat ? parseDpkgLog(text, stat.mtimeNs) : []
    })
    const installation = new Installation({
      evidence: this.evidence,
      look: this.look,
      database,
      invocations,
      accountLines: (path) => this.recall()?.accounts[path],
      formerOwner: (path) =>
        this.recall()
          ?.ownersOf(path)
          .find((name) => this.workSince(invocations, name)),
    })
    this.opened = { database, invocations, installation }
    return this.opened
  }

  private explainShipped(
    database: DpkgDatabase,
    change: Exclude<Change, { kind: 'removed' }>,
    owners: string[],
  ): Cause | undefined {
    const { after } = change
    for (const stem of owners) {
      const name = stem.replace(/:.*/, '')
      if (!database.packages.has(name)) continue
      const work = this.workOn(name, after)
      const digest = after.type === 'file' ? database.digestOf(after.path, stem) : undefined
      if (digest !== undefined && this.look.md5Of(after) !== digest) continue
      const isProved = digest !== undefined || (after.type !== 'file' && after.type !== 'symlink')
      // Content without a digest, and where a link leads, are only told by the time.
      if (!isProved && !work) continue
      if (work || this.isMetadataExplained(database, change)) {
        return byPackage(name, database.versionOf(name), work)
      }
    }
    return undefined
  }

  /** Whether owner, mode and kind are what they were, or give nothing to anybody, or are set for dpkg to keep. */
  private isMetadataExplained(database: DpkgDatabase, change: Exclude<Change, { kind: 'removed' }>): boolean {
    const { after } = change
    const override = database.overrides.get(after.path)
    if (override) {
      const { host } = this.evidence
      const isOwned = after.uid === host.userId(override.user) && after.gid === host.groupId(override.group)
      if (isOwned && after.mode === override.mode && !after.capabilities) return true
    }
    if (change.kind === 'new') return isHarmless(after)
    return change.attributes.every((attribute) => OF_CONTENT.has(attribute))
  }

  /** dpkg's work on a package during which the entry got the state that it is in. */
  private workOn(name: string, after: EntryState): Work | undefined {
    const times = this.look.timesOf(after)
    for (const { work } of this.opened?.invocations ?? []) {
      const found = work.get(name)
      if (found && times.some((time) => within(time, found))) return found
    }
    return undefined
  }

  /** The last work on a package since the last check. */
  private workSince(invocations: readonly Invocation[], name: string): Work | undefined {
    const sinceNs = BigInt(this.recall()?.takenMs ?? 0) * 1_000_000n
    return invocations.findLast(({ endNs, work }) => endNs >= sinceNs && work.has(name))?.work.get(name)
  }

  private explainRemoval(database: DpkgDatabase, before: EntryState): Cause | undefined {
    const { path } = before
    // What a package still ships has to be there.
    if (database.ownersOf(path).some((stem) => database.packages.has(stem.replace(/:.*/, ''))))
      return undefined
    const snapshot = this.recall()
    const invocations = this.opened?.invocations ?? []
    if (!snapshot) return undefined
    const workOn = (name: string) => this.workSince(invocations, name)
    const target = before.target === undefined ? '' : absoluteTarget(path, before.target)
    for (const owned of [path, pythonSourceOf(path) ?? '', target]) {
      for (const name of snapshot.ownersOf(owned)) {
        const work = workOn(name)
        if (work) return byPackage(name, work.version, work)
      }
    }
    if (isWorkingFile(path)) return WORKING_FILE
    const control = controlFileOf(path)
    const work = control === undefined ? undefined : workOn(control)
    if (control !== undefined) return work && byPackage(control, work.version, work)
    const last = invocations.at(-1)
    if (!last || last.endNs < BigInt(snapshot.takenMs) * 1_000_000n) return undefined
    const generator = generatorOf(path, (name) => database.isInstalled(name), true)
    if (generator) return byInvocation(generator, last)
    for (const [name, paths] of snapshot.named) {
      const done = workOn(name)
      if (done && paths.some((named) => isDeep(named) && isWithin(named, path))) {
        return byPackage(name, done.version, done)
      }
    }
    return undefined
  }

  private recall(): Snapshot | undefined {
    const { state, stateDir } = this.place
    this.remembered ??= { snapshot: readSnapshot(state, stateDir, this.evidence.fingerprint) }
    return this.remembered.snapshot
  }

  private accounts(): Snapshot['accounts'] {
    return Object.fromEntries(
      ACCOUNT_FILES.filter(this.isWanted).flatMap((path) => {
        const text = readEvidence(this.evidence, path)
        if (text === undefined) return []
        return [[path, accountLines(text, (line) => this.evidence.fingerprint(line))]]
      }),
    )
  }
}

/** Below a directory of a package, such as /etc/nginx: a script that names /etc itself speaks of no file in it. */
function isDeep(path: string): boolean {
  return path.split('/').length > 2
}
