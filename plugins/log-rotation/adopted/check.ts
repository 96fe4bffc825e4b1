import type { Blind, CheckContext, Fact, FileStat, Finding, HostReader } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { LogSet } from '../logrotate/settings.ts'
import type { Listener, Verdict } from '../program/listener.ts'
import { Output } from '../program/output.ts'
import { rotateSet } from '../program/rotate-set.ts'
import { judgeRecords, type KeptFile } from '../records/judge.ts'
import type { Records } from '../records/records.ts'
import type { AdoptedFamily } from '../removal.ts'
import { adoptedFamily, KeptGenerations, retentionOf } from './generations.ts'
import { firstWords, judgeVerdict, parseComplaints } from './judge.ts'
import { readAdopted } from './read.ts'
import { findRivals } from './rival.ts'
import { type HeldLogs, readHeld, readTimes, timesPath, writeTimes } from './state.ts'

/** A log of an adopted block, as it was found. */
export interface AdoptedLog {
  path: string
  set: LogSet
  stat: FileStat | undefined
  rotatedAt: Date | undefined
  generations: KeptFile[]
}

export interface AdoptedReport {
  logs: AdoptedLog[]
  findings: Finding[]
  blind: Blind[]
  facts: Fact[]
  families: AdoptedFamily[]
  /** Every path of the blocks, whether it is there or not. */
  paths: string[]
}

/** What the adopted files ask for now: the program itself goes through them without changing anything. */
export function checkAdopted(ctx: CheckContext<Config>, records: Records): AdoptedReport {
  const { host, config, state, stateDir, now } = ctx
  const adopted = readAdopted(host, config, true)
  const { times, problems, imported } = readTimes(state, stateDir, host, config.logrotateState)
  const held = readHeld(state, stateDir)
  const seen = new Map(times)
  const findings = [...adopted.findings, ...stateFindings(problems), ...findRivals(host)]
  const logs: AdoptedLog[] = []
  const kept = new KeptGenerations(host)
  for (const set of adopted.sets) {
    const { verdicts, complaints } = rehearse(set, seen, held, now)
    for (const path of set.files) {
      const stat = host.stat(path)
      const verdict = verdicts.get(path)
      const generations = kept.of(path, set.settings, now)
      if (stat || generations.length > 0) {
        logs.push({ path, set, stat, rotatedAt: times.get(path), generations })
        const proven = generations.filter((file) => file.path !== held[path]?.path)
        findings.push(
          ...judgeRecords(path, proven, records.ofLog(path), retentionOf(set.settings), now.getTime()),
        )
      }
      if (verdict) {
        const about = { pattern: set.pattern, missingOk: set.settings.missingOk, bytes: stat?.size ?? null }
        findings.push(...judgeVerdict(path, verdict, about))
      }
    }
    findings.push(...complaints.map((message) => rehearsalFinding(set, message)))
  }
  findings.push(...adopted.shared.map(({ path, set, pattern }) => sharedFinding(path, set, pattern)))
  findings.push(...Object.entries(held).map(([log, { path }]) => heldFinding(log, path)))
  // A log that was never seen counts as rotated at the start of this hour, as with logrotate.
  const fresh = [...seen].filter(([path]) => !times.has(path))
  if (imported || fresh.length > 0) {
    for (const [path, at] of fresh) times.set(path, at)
    writeTimes(state, stateDir, times, new Set(seen.keys()), now)
  }
  if (state.stat(`${timesPath(stateDir)}.reeve-journal`)) findings.push(cutOffFinding(config))
  if (config.unmanaged) findings.push(...adopted.sets.flatMap((set) => idleFinding(set, host)))
  const paths = adopted.sets.flatMap(({ files }) => files)
  const families = logs.map(({ path, generations }) => adoptedFamily(path, generations, config))
  return { logs, findings, blind: adopted.blind, facts: logs.map(factOf), families, paths }
}

/** Goes through a block as a rotation would. Errors that no verdict tells are returned. */
function rehearse(set: LogSet, times: Map<string, Date>, held: HeldLogs, now: Date) {
  const verdicts = new Map<string, Verdict>()
  const shown: string[] = []
  const listener: Listener = {
    onVerdict: (path, verdict) => verdicts.set(path, verdict),
    holds: (path) => Object.hasOwn(held, path),
    onRotated: () => {},
    mayCompress: () => true,
    onFinished: () => {},
  }
  const options = { forced: false, dryRun: true, mailCommand: '/usr/bin/mail', now, listener }
  rotateSet(set, times, options, new Output(false, (text) => shown.push(text), true))
  for (const path of Object.keys(held)) verdicts.delete(path)
  const isTold = (message: string) => /^(stat of |skipping ")/.test(message)
  const complaints = parseComplaints(shown)
    .filter(({ message }) => !isTold(message))
    .map(({ message }) => message)
  return { verdicts, complaints }
}

function rehearsalFinding(set: LogSet, message: string): Finding {
  const taken = /^destination (.*) already exists/s.exec(message)?.[1]
  return {
    rule: taken === undefined ? 'rotation-failed' : 'name-collision',
    subject: taken ?? firstWords(set.pattern),
    severity: 'warning',
    summary: `A log of "${firstWords(set.pattern)}" is not rotated: ${message}`.slice(0, 2000),
    remedy:
      taken === undefined
        ? 'Correct the cause; the next run tries again'
        : 'It is rotated when its name is free: use a finer dateformat, or move the file away',
  }
}

function stateFindings(problems: string[]): Finding[] {
  return problems.map((problem) => ({
    rule: 'logrotate-error',
    subject: 'state',
    severity: 'warning',
    summary: `${problem}: what stands behind that line counts as not rotated yet`.slice(0, 2000),
    remedy: 'Correct or remove the line',
  }))
}

/** A writer still has a rotated log open: what it writes next would be lost with it. */
export function heldFinding(log: string, rotated: string): Finding {
  return {
    rule: 'writer-not-reopened',
    subject: log,
    severity: 'warning',
    summary: `${rotated} is still open for writing: a writer has not reopened ${log}`,
    remedy:
      `Make the postrotate script of ${log} tell its writer to reopen its log, or use copytruncate; ` +
      `fuser -v ${rotated} shows who writes`,
    evidence: { generation: rotated, by: 'logrotate' },
    fixable: true,
  }
}

function cutOffFinding({ logrotate }: Config): Finding {
  return {
    rule: 'rotation-unfinished',
    subject: logrotate[0] ?? '/',
    severity: 'warning',
    summary: `A rotation by ${logrotate.join(', ')} was cut off`,
    remedy: 'Let the job run in enforce mode: it ends what was begun',
    evidence: { by: 'logrotate' },
    fixable: true,
  }
}

/** A set of this job and a block of logrotate name the same log. */
export function sharedFinding(path: string, set: string, pattern: string): Finding {
  const block = firstWords(pattern)
  return {
    rule: 'log-in-two-sets',
    subject: path,
    severity: 'warning',
    summary: `${path} is matched by the set ${set} and by "${block}" of logrotate`,
    remedy: 'Leave it out of one of the two',
    evidence: { set, other: block },
  }
}

/** A block of which no log exists. */
function idleFinding(set: LogSet, host: HostReader): Finding[] {
  if (!set.settings.missingOk || set.files.some((path) => host.stat(path))) return []
  const pattern = firstWords(set.pattern)
  return [
    {
      rule: 'rule-matches-nothing',
      subject: pattern,
      severity: 'info',
      summary: `No log matches "${pattern}", for which there is a block of logrotate`,
      remedy: 'Remove the block if what wrote these logs is gone, or correct the path',
      evidence: { by: 'logrotate' },
    },
  ]
}

function factOf({ path, set, stat, rotatedAt, generations }: AdoptedLog): Fact {
  return {
    kind: 'log',
    subject: path,
    data: {
      set: firstWords(set.pattern),
      by: 'logrotate',
      bytes: stat?.size ?? null,
      generations: generations.length,
      archivedBytes: generations.reduce((sum, { size }) => sum + size, 0),
      lastRotation: rotatedAt?.toISOString() ?? null,
    },
  }
}
