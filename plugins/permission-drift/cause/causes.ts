import {
  type CheckContext,
  describeError,
  errnoOf,
  isWithin,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Cause, Change, Explain } from '../change.ts'
import type { Config } from '../config.ts'
import { Certificates } from './certificates.ts'
import { waitForDpkg } from './dpkg/at-work.ts'
import { DpkgPackages } from './dpkg/packages.ts'
import type { Evidence } from './evidence.ts'
import { OwnActions } from './own-actions.ts'
import { RpmPackages } from './rpm/packages.ts'
import { queryRpm } from './rpm/query.ts'
import { certificatePatterns, evidencePaths } from './sources.ts'
import { readTmpfiles, Tmpfiles } from './tmpfiles.ts'
import { explainByWindow, type OpenWindow, readWindows, spanOf, toNs } from './windows.ts'

interface Source {
  explain(change: Change): Cause | undefined
  /** Notes what a later check needs. */
  remember?(): void
}

type Context = Pick<
  CheckContext<Config>,
  'config' | 'host' | 'state' | 'stateDir' | 'now' | 'signal' | 'fingerprint' | 'actions'
>

/** Of how far back a recurring window is looked for. */
const HORIZON_MS = 14 * 86_400_000
const MAX_OCCURRENCES = 1000

/** All that may explain a change of a tree, asked one after the other, the surest first. */
export class Causes {
  private readonly sources: Source[] = []

  private constructor() {}

  /** Opens what the configuration names. What of it cannot be read is told as blind: it explains nothing. */
  static async open(context: Context, onBlind: (subject: string, reason: string) => void): Promise<Causes> {
    const causes = new Causes()
    const { config, host, state, stateDir, now, signal, fingerprint } = context
    if (config.trees.length === 0) return causes
    const told = new Set<string>()
    const evidence: Evidence = {
      host,
      now,
      fingerprint,
      onBlind: (subject, reason) => {
        if (!told.has(subject)) onBlind(subject, reason)
        told.add(subject)
      },
    }
    for (const path of evidencePaths(config)) probe(evidence, path)
    const place = { state, stateDir }
    const isWanted = (path: string) => config.trees.some((tree) => isWithin(tree.path, path))
    const lastChangeOf = (path: string) => host.exactStat(path)?.mtimeNs
    if (config.explain.packages.includes('dpkg')) await waitForDpkg(evidence, signal)
    if (config.explain.packages.includes('dpkg'))
      causes.sources.push(new DpkgPackages(evidence, place, isWanted))
    if (config.explain.packages.includes('rpm')) {
      const files = await queryRpm(host, signal, evidence.onBlind)
      if (files) causes.sources.push(new RpmPackages(evidence, place, files, isWanted))
    }
    if (config.explain.reeve) {
      const ownDirectory = stateDir.replace(/\/jobs\/[^/]+$/, '')
      causes.sources.push(new OwnActions(context.actions ?? [], ownDirectory, lastChangeOf))
    }
    const patterns = certificatePatterns(config)
    if (patterns.length > 0) causes.sources.push(new Certificates(evidence, place, patterns))
    if (config.explain.tmpfiles) {
      causes.sources.push(lazily(() => new Tmpfiles(readTmpfiles(evidence), host, now)))
    }
    const windows = await openWindows(context)
    if (windows.length > 0)
      causes.sources.push({ explain: (change) => explainByWindow(change, windows, lastChangeOf) })
    return causes
  }

  readonly explain: Explain = (change) => {
    for (const source of this.sources) {
      const cause = source.explain(change)
      if (cause) return cause
    }
    return undefined
  }

  /** After the last change, when what was explained is in the baseline. */
  remember(): void {
    for (const source of this.sources) source.remember?.()
  }
}

/** Made with the first change: most checks see none. */
function lazily(make: () => Source): Source {
  let made: Source | undefined
  return {
    explain(change) {
      made ??= make()
      return made.explain(change)
    },
  }
}

/** Tells whether evidence may be looked at at all, before anything depends on it. */
function probe({ host, onBlind }: Evidence, path: string): void {
  try {
    const isDirectory = host.statTarget(path)?.type === 'directory'
    if (isDirectory) host.list(path)
    else host.open(path, { follow: true }).close()
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      onBlind(path, `it explains no change: ${describeError(error)}`)
  }
}

async function openWindows({ config, state, stateDir, now, fingerprint }: Context): Promise<OpenWindow[]> {
  const byHand = readWindows(state, stateDir, fingerprint).map((window) => ({
    ...spanOf(window),
    reason: `${window.reason} (${window.by})`,
  }))
  const configured: OpenWindow[] = []
  for (const window of config.windows) {
    if ('from' in window) {
      configured.push({ startNs: toNs(window.from), endNs: toNs(window.to), reason: window.reason })
      continue
    }
    const { CronExpressionParser } = await import('cron-parser')
    const currentDate = new Date(now.getTime() + 1)
    let times: ReturnType<typeof CronExpressionParser.parse>
    try {
      times = CronExpressionParser.parse(window.schedule, { currentDate })
    } catch (error) {
      throw new UserError(`Cannot use the window "${window.schedule}": ${describeError(error)}`)
    }
    for (let count = 0; count < MAX_OCCURRENCES; count++) {
      const openedMs = times.prev().getTime()
      if (openedMs < now.getTime() - HORIZON_MS - window.for) break
      configured.push({ startNs: toNs(openedMs), endNs: toNs(openedMs + window.for), reason: window.reason })
    }
  }
  return [...byHand, ...configured]
}
