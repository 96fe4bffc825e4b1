import {
  type ApplyContext,
  type Artifact,
  describeError,
  type Finding,
  printablePath,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { Pressure } from '../pressure.ts'
import { attributesOf } from '../program/attributes.ts'
import { compressLog } from '../program/compress-log.ts'
import { Files } from '../program/files.ts'
import { becomeRoot } from '../program/identity.ts'
import { Journal } from '../program/journal.ts'
import type { Listener } from '../program/listener.ts'
import { Output } from '../program/output.ts'
import { recover } from '../program/recover.ts'
import { removeLog } from '../program/remove-log.ts'
import { type RunOptions, rotateSet } from '../program/rotate-set.ts'
import type { LogRotation } from '../program/rotation.ts'
import { worksOnHandles } from '../program/works-on-handles.ts'
import type { Records } from '../records/records.ts'
import { removable } from '../removal.ts'
import { adoptedFamily, KeptGenerations } from './generations.ts'
import { firstWords, parseComplaints } from './judge.ts'
import { Proofs } from './prove.ts'
import { readAdopted } from './read.ts'
import { type HeldLogs, readHeld, readTimes, timesPath, writeHeld, writeTimes } from './state.ts'

/** How long a writer may take to reopen its log after the scripts. */
const REOPEN_GRACE_MS = 5000
const POLL_MS = 10
const MAIL = '/usr/bin/mail'

/** Rotates what the check found due, by the very program that stands in for logrotate. */
export async function applyAdopted(
  ctx: ApplyContext<Config>,
  records: Records,
): Promise<{ findings: Finding[]; artifacts: Artifact[] }> {
  const wanted = new Set(
    ctx.findings
      .filter(({ rule, evidence }) => rule === 'rotation-due' && evidence?.by === 'logrotate')
      .map(({ subject }) => subject),
  )
  const released = new Set(
    ctx.findings
      .filter(({ rule, evidence }) => rule === 'writer-not-reopened' && evidence?.by === 'logrotate')
      .map(({ subject }) => subject),
  )
  const isCutOff = ctx.findings.some(
    ({ rule, evidence }) => rule === 'rotation-unfinished' && evidence?.by === 'logrotate',
  )
  const isShortOfRoom = ctx.findings.some(({ rule }) => rule === 'disk-pressure')
  if (wanted.size + released.size === 0 && !isCutOff && !isShortOfRoom) return { findings: [], artifacts: [] }
  becomeRoot()
  return new Adoption(ctx, wanted, new Proofs(ctx, records), records).run(released)
}

class Adoption {
  readonly findings: Finding[] = []
  readonly held: HeldLogs
  readonly times: Map<string, Date>

  constructor(
    readonly ctx: ApplyContext<Config>,
    readonly wanted: ReadonlySet<string>,
    readonly proofs: Proofs,
    readonly records: Records,
  ) {
    const { state, stateDir, host, config } = ctx
    this.times = readTimes(state, stateDir, host, config.logrotateState).times
    this.held = readHeld(state, stateDir)
  }

  async run(released: ReadonlySet<string>) {
    const { host, config, state, stateDir, now, signal } = this.ctx
    const { sets } = readAdopted(host, config, false)
    const known = new Set(sets.flatMap(({ files }) => files))
    const keepTimes = () => writeTimes(state, stateDir, this.times, known, now)
    const journal = Journal.open(timesPath(stateDir))
    const unfinished = journal?.left ? this.recover(journal) : new Set<string>()
    if (journal?.left) {
      keepTimes()
      journal.clear()
    }
    for (const set of sets) {
      for (const log of set.files) if (released.has(log)) await this.finishHeld(set, log)
    }
    const due = sets.filter(({ files }) => files.some((file) => this.wanted.has(file)))
    for (const [index, set] of due.entries()) {
      signal.throwIfAborted()
      this.ctx.progress(index, due.length, firstWords(set.pattern))
      this.rotate(set, { journal, unfinished })
      // Set by set: what a crash cuts off must not make those before it due once more.
      keepTimes()
      await this.proofs.settle()
    }
    journal?.close(true)
    this.relievePressure(sets)
    return {
      findings: [...this.findings, ...this.proofs.findings],
      artifacts: this.proofs.artifacts,
    }
  }

  /** Removes what is oldest, one after another, until there is room; a preremove script is run as ever. */
  relievePressure(sets: LogSet[]): void {
    const { host, config, now, findings } = this.ctx
    const pressed = new Set(
      findings.filter(({ rule }) => rule === 'disk-pressure').map(({ subject }) => subject),
    )
    if (pressed.size === 0) return
    const pressure = new Pressure(host)
    const kept = new KeptGenerations(host)
    const setOf = new Map(sets.flatMap((set) => set.files.map((log) => [log, set] as const)))
    const families = [...setOf].map(([log, { settings }]) =>
      adoptedFamily(log, kept.of(log, settings, now), config),
    )
    const directoryOf = new Map(families.map(({ family, directory }) => [family.log, directory]))
    for (const { log, file } of removable(
      families.map(({ family }) => family),
      now.getTime(),
    )) {
      const set = setOf.get(log)
      const directory = directoryOf.get(log) ?? '/'
      if (!set || !pressed.has(pressure.mountOf(directory) ?? directory)) continue
      if (!pressure.on(directory, config.whenFreeBelow)) continue
      const shown: string[] = []
      const output = new Output(false, (text) => shown.push(text), true)
      using files = new Files(worksOnHandles(set.settings.su))
      if (removeLog(file.path, { set, files, output, dryRun: false })) this.records.forget(log, file)
      this.complain(set, shown)
      pressure.measureAnew()
    }
    this.records.save(this.ctx.state)
  }

  /** Ends what a run before was cut off in, as the journal tells. */
  recover(journal: Journal): Set<string> {
    const shown: string[] = []
    const output = new Output(false, (text) => shown.push(text), true)
    const failed = recover(journal, this.times, MAIL, output)
    for (const { message } of parseComplaints(shown)) {
      this.findings.push({
        rule: 'rotation-failed',
        subject: journal.path,
        severity: 'warning',
        summary: `What an earlier run was cut off in is not ended: ${message}`.slice(0, 2000),
        remedy: 'Correct the cause; the next run tries again',
      })
    }
    return failed
  }

  rotate(set: LogSet, progress: Pick<RunOptions, 'journal' | 'unfinished'>): void {
    const shown: string[] = []
    const listener: Listener = {
      onVerdict: () => {},
      holds: (log) => !this.wanted.has(log) || Object.hasOwn(this.held, log),
      onRotated: (rotation) => this.proofs.note(rotation, this.hold(rotation)),
      mayCompress: ({ path }) => !Object.hasOwn(this.held, path),
      onFinished: ({ path }) => this.ctx.log.info('rotated a log', { log: path, by: 'logrotate' }),
    }
    const { now } = this.ctx
    const options = { forced: false, dryRun: false, mailCommand: MAIL, now, listener, ...progress }
    rotateSet(set, this.times, options, new Output(false, (text) => shown.push(text), true))
    this.complain(set, shown)
  }

  /** Waits for the writers of a log that was renamed. Whether they have let go; null where that is not known. */
  hold({ path, set, names }: LogRotation): boolean | null {
    const { copy, copyTruncate, renameCopy, scripts } = set.settings
    if (copy || copyTruncate || renameCopy) return null
    const wasTold = scripts.postrotate !== undefined || scripts.lastaction !== undefined
    const end = performance.now() + (wasTold ? REOPEN_GRACE_MS : 0)
    while (this.isOpen(names.final)) {
      if (performance.now() < end) {
        Bun.sleepSync(POLL_MS)
        continue
      }
      this.held[path] = { path: names.final, sinceMs: this.ctx.now.getTime() }
      this.saveHeld()
      return false
    }
    if (!this.ctx.host.stat(names.final)) return null
    return this.ctx.host.isOpenForWriting(names.final) === undefined ? null : true
  }

  /** Whether any process has it open for writing; where the kernel does not tell, a recent write does. */
  isOpen(path: string): boolean {
    const { host } = this.ctx
    const stat = host.stat(path)
    if (!stat) return false
    return host.isOpenForWriting(path) ?? Date.now() - stat.mtimeMs < REOPEN_GRACE_MS
  }

  /** Does for a rotated log what had to wait for its writer, where that has let go of it. */
  async finishHeld(set: LogSet, log: string): Promise<void> {
    const held = this.held[log]
    if (held === undefined || this.isOpen(held.path)) return
    const shown: string[] = []
    const output = new Output(false, (text) => shown.push(text), true)
    const { compress, delayCompress } = set.settings
    try {
      if (this.ctx.host.stat(held.path)) {
        const digest = this.proofs.hash(held.path)
        if (compress && !delayCompress) {
          using files = new Files(worksOnHandles(set.settings.su))
          const compressing = { set, files, output, now: this.ctx.now, dryRun: false }
          compressLog(held.path, attributesOf(files.target(held.path)), compressing)
        }
        await this.proofs.proveReleased(set, log, digest, held.sinceMs)
      }
    } catch (error) {
      shown.push(`error: ${describeError(error)}`)
    }
    this.complain(set, shown)
    if (shown.length > 0) return
    delete this.held[log]
    this.saveHeld()
  }

  saveHeld(): void {
    writeHeld(this.ctx.state, this.ctx.stateDir, this.held)
  }

  complain(set: LogSet, shown: string[]): void {
    const messages = parseComplaints(shown).map(({ message }) => message)
    if (messages.length === 0) return
    const pattern = firstWords(set.pattern)
    const script = messages.some((message) =>
      /^error running (?:non-)?(?:shared )?\w+ (?:action )?script/.test(message),
    )
    this.findings.push({
      rule: script ? 'script-failed' : 'rotation-failed',
      subject: printablePath(pattern),
      severity: 'warning',
      summary: `Logs of "${pattern}": ${messages.join('; ')}`.slice(0, 2000),
      remedy: script
        ? 'Run the script by hand. What only the jail refuses (permission denied) is opened by logrotateScripts: ' +
          'run, read, write, net or capabilities'
        : 'Correct the cause; the next run tries again',
      evidence: { set: pattern, by: 'logrotate' },
    })
    this.ctx.log.warn('could not finish a rotation', {
      set: pattern,
      messages: messages.join('; ').slice(0, 1000),
    })
  }
}
