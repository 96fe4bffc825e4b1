import type { EntryState } from '../../../../agent/contract/mod.ts'
import type { Cause } from '../../change.ts'
import { type Evidence, isData, isHarmless, readEvidence, within } from '../evidence.ts'
import type { Look } from '../look.ts'
import { ACCOUNT_FILES, isSystemAccountChange } from './accounts.ts'
import { byInvocation, byPackage } from './cause.ts'
import type { DpkgDatabase } from './database.ts'
import { controlFileOf, generatorOf, isNamed, pathsIn, pythonSourceOf } from './generated.ts'
import type { Invocation } from './log.ts'

/** PEP 552: magic number, flags, time and size of the source. */
const PYC_HEADER_BYTES = 16

/** What an installation is judged by. */
export interface Known {
  evidence: Evidence
  look: Look
  database: DpkgDatabase
  invocations: readonly Invocation[]
  /** Identities of the lines that an account file had at the last check. */
  accountLines(path: string): Readonly<Record<string, string>> | undefined
  /** Who shipped a path at the last check, where dpkg has worked on that package since. */
  formerOwner(path: string): string | undefined
}

/**
 * What no package ships and yet comes with their installation. Each has to have got its state while dpkg was at
 * work, and, beside that, a proof of its own: it is what a known program makes, a link to what a package ships,
 * a copy of it, compiled from it, or named by a script of a package that dpkg was working on.
 */
export class Installation {
  private readonly named = new Map<string, Set<string>>()

  constructor(private readonly known: Known) {}

  explain(after: EntryState): Cause | undefined {
    const times = this.known.look.timesOf(after)
    // The log has whole seconds: one may belong to two invocations.
    for (const invocation of this.known.invocations) {
      if (!times.some((time) => within(time, invocation))) continue
      const cause = this.explainIn(after, invocation)
      if (cause) return cause
    }
    return undefined
  }

  private explainIn(after: EntryState, invocation: Invocation): Cause | undefined {
    const { path, type } = after
    if (type === 'symlink') return this.explainLink(after, invocation)
    if (givesPower(after)) return undefined
    const control = controlFileOf(path)
    if (control !== undefined) {
      const work = invocation.work.get(control)
      return work && isHarmless(after) ? byPackage(control, work.version, work) : undefined
    }
    const generator = generatorOf(path, this.isInstalled)
    if (generator) return isData(after) ? byInvocation(generator, invocation) : undefined
    if (type === 'directory') {
      // What it holds is judged by itself.
      return isHarmless(after) ? byInvocation('a directory', invocation) : this.explainNamed(path, invocation)
    }
    if (type !== 'file') return undefined
    if (path.endsWith('.pyc')) {
      return this.isCompiled(after) ? byInvocation('py3compile', invocation) : undefined
    }
    const account = path.replace(/-$/, '')
    if (ACCOUNT_FILES.includes(account)) {
      return this.isAccountChange(path, account) ? byInvocation('adduser', invocation) : undefined
    }
    return this.explainCopy(after, invocation) ?? this.explainNamed(path, invocation)
  }

  private readonly isInstalled = (name: string) => this.known.database.isInstalled(name)

  /** A link that leads to what a package ships, or to what was made with it. */
  private explainLink(link: EntryState, invocation: Invocation): Cause | undefined {
    const { database, look } = this.known
    const target = link.uid === 0 ? look.leadsTo(link.path) : undefined
    if (target === undefined) return undefined
    if (target === '/dev/null') {
      return this.isMasked(link.path, invocation)
        ? byInvocation('deb-systemd-helper mask', invocation)
        : undefined
    }
    const owner = database.ownersOf(target)[0]?.replace(/:.*/, '') ?? this.known.formerOwner(target)
    if (owner === undefined && !this.isMade(target, invocation)) return undefined
    return byInvocation(`a link to what ${owner ?? 'a package'} ships`, invocation)
  }

  /** Whether a unit of a package that was removed is masked. */
  private isMasked(path: string, { work }: Invocation): boolean {
    const unit = path.slice(path.lastIndexOf('/') + 1)
    return (
      path.startsWith('/etc/systemd/') &&
      [...work].some(
        ([name, { actions }]) => actions.has('remove') && this.known.database.scriptsOf(name).includes(unit),
      )
    )
  }

  /** Whether what a link leads to was itself made by the same installation. */
  private isMade(path: string, invocation: Invocation): boolean {
    if (generatorOf(path, this.isInstalled)) return true
    const stat = this.known.evidence.host.exactStat(path)
    if (!stat?.ctimeNs || stat.type === 'symlink' || !within(stat.ctimeNs, invocation)) return false
    return this.explainIn({ ...stat, path, ctimeNs: stat.ctimeNs, flags: [] }, invocation) !== undefined
  }

  /** A compiled Python file whose header names the present source, which is what a package ships. */
  private isCompiled(compiled: EntryState): boolean {
    const { database, evidence, look } = this.known
    const named = pythonSourceOf(compiled.path)
    const source = named && look.leadsTo(named)
    if (source === undefined || !isHarmless(compiled)) return false
    const stat = evidence.host.stat(source)
    const owner = database.ownersOf(source)[0]
    if (stat?.type !== 'file' || owner === undefined) return false
    const md5 = look.md5Of({ ...stat, path: source })
    if (md5 === undefined || database.digestOf(source, owner) !== md5) return false
    const header = look.firstBytes(compiled.path, PYC_HEADER_BYTES)
    if (header?.readUInt32LE(4) !== 0) return false // checked by hash, not by time
    const seconds = Math.floor(stat.mtimeMs / 1000) >>> 0
    return header.readUInt32LE(8) === seconds && header.readUInt32LE(12) === stat.size >>> 0
  }

  private isAccountChange(path: string, account: string): boolean {
    const { evidence } = this.known
    const before = this.known.accountLines(account)
    const text = readEvidence(evidence, path)
    if (!before || text === undefined) return false
    return isSystemAccountChange(account, text, before, (line) => evidence.fingerprint(line))
  }

  /** The very content of a file that a package ships under another name. */
  private explainCopy(after: EntryState, { work }: Invocation): Cause | undefined {
    if (!isHarmless(after) || after.size === 0) return undefined
    const md5 = this.known.look.md5Of(after)
    if (md5 === undefined) return undefined
    for (const [name, done] of work) {
      if (this.known.database.shipsContent(name, md5)) return byPackage(name, done.version, done)
    }
    return undefined
  }

  /** A path that a script names of a package that was worked on then. */
  private explainNamed(path: string, { work }: Invocation): Cause | undefined {
    for (const [name, done] of work) {
      if (isNamed(path, this.namedBy(name))) return byPackage(name, done.version, done)
    }
    return undefined
  }

  private namedBy(name: string): Set<string> {
    const known = this.named.get(name)
    if (known) return known
    const paths = pathsIn(this.known.database.scriptsOf(name))
    this.named.set(name, paths)
    return paths
  }
}

/** Set-ID, writable by everybody, capabilities: no script makes that beside what its package ships. */
function givesPower({ type, mode, capabilities }: EntryState): boolean {
  return (mode & (type === 'directory' ? 0o4002 : 0o6002)) !== 0 || Boolean(capabilities)
}
