import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, errnoOf } from '../../agent/contract/mod.ts'
import {
  type Archived,
  hashGeneration,
  makeArchive,
  type Proof,
  removeSource,
  StillWrittenError,
} from './archive.ts'
import { heldFinding } from './findings.ts'
import type { Generation } from './generation.ts'
import { artifactOf } from './records/artifact.ts'
import { findRecord, type GenerationRecord, writersText } from './records/records.ts'
import type { Session } from './session.ts'
import type { SurveyedLog } from './survey.ts'

/** Compresses and proves what was rotated now, and what earlier runs left uncompressed. */
export async function prove(session: Session): Promise<void> {
  const fresh = new Set(
    Object.entries(session.state.pending)
      .filter(
        ([path, { phase }]) =>
          (phase === 'prove' && session.touched.has(path)) ||
          (phase === 'held' && session.wants('writer-not-reopened', path)),
      )
      .map(([path]) => path),
  )
  const held = await waitForWriters(session, fresh)
  for (const path of fresh) {
    const pending = session.state.pending[path]
    if (pending && held.has(path)) pending.phase = 'held'
    // What fails from here on is seen by the next check in the directory itself.
    else delete session.state.pending[path]
  }
  const plans = session
    .plans(session.ctx.now.getTime())
    .filter(
      ({ log, compress }) =>
        fresh.has(log.path) ||
        session.touched.has(log.path) ||
        compress.some(({ path }) => session.wants('compression-due', path)),
    )
  const works: (() => Promise<void>)[] = []
  const made = new MadeArchives(session)
  for (const [index, { log, compress }] of plans.entries()) {
    const isFresh = fresh.has(log.path) && !held.has(log.path)
    const unproven = isFresh ? log.generations.filter((generation) => generation.index === 1) : []
    for (const generation of new Set([...unproven, ...compress])) {
      const isTested = isFresh && generation.index === 1
      works.push(async () => {
        session.ctx.progress(index, plans.length, log.path)
        if (!isTested && isHeld(session, log, generation.path)) {
          session.findings.push(heldFinding(log, generation.path))
        } else await proveGeneration(session, log, generation, compress.includes(generation), made)
      })
    }
  }
  try {
    await allOf(works, AT_A_TIME)
  } finally {
    made.conclude()
  }
  if (fresh.size > 0) session.saveState()
}

/** More than there are threads, so that none waits for the disk. */
const AT_A_TIME = 8

/** Does many things, so many at a time. The first error ends it, when what was begun has ended. */
async function allOf(works: (() => Promise<void>)[], atATime: number): Promise<void> {
  const rest = works[Symbol.iterator]()
  const next = async () => {
    for (const work of rest) await work()
  }
  const ends = await Promise.allSettled(Array.from({ length: atATime }, next))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
}

const POLL_MS = 10

/** Those of the logs whose newest generation a writer still has open after its `reopenGrace`. */
async function waitForWriters(session: Session, paths: Set<string>): Promise<Set<string>> {
  const began = performance.now()
  const waiting = new Map(
    session
      .plans(session.ctx.now.getTime())
      .filter(({ log }) => paths.has(log.path))
      .map(({ log }) => [log.path, log]),
  )
  const held = new Set<string>()
  // Where nothing told the writers to reopen, or that was in an earlier run, there is nothing to wait for.
  const wasTold = (log: SurveyedLog) =>
    log.set.afterRotate !== undefined && session.state.pending[log.path]?.phase === 'prove'
  while (waiting.size > 0) {
    const elapsed = performance.now() - began
    for (const [path, log] of waiting) {
      const newest = log.generations.find(({ index, compression }) => index === 1 && compression === 'none')
      const isOpen = newest !== undefined && isHeld(session, log, newest.path)
      if (isOpen && wasTold(log) && elapsed < log.set.reopenGrace) continue
      if (isOpen) held.add(path)
      waiting.delete(path)
    }
    if (waiting.size > 0) await sleep(POLL_MS, undefined, { signal: session.ctx.signal })
  }
  return held
}

/** Where the kernel does not tell who has a file open, a recent write does. */
function isHeld(session: Session, log: SurveyedLog, path: string): boolean {
  if (log.set.method !== 'create') return false
  const directory = session.look(log.directory)
  const isOpen = directory.isOpenForWriting(path)
  if (isOpen !== undefined) return isOpen
  return Date.now() - (directory.stat(path)?.mtimeMs ?? 0) < log.set.reopenGrace
}

async function proveGeneration(
  session: Session,
  log: SurveyedLog,
  generation: Generation,
  compress: boolean,
  made: MadeArchives,
): Promise<void> {
  const directory = session.look(log.directory)
  const { signal } = session.ctx
  const { compress: compression } = log.set
  try {
    const isOpen = log.set.method === 'create' ? directory.isOpenForWriting(generation.path) : undefined
    const reopened = isOpen === undefined ? null : !isOpen
    if (compress && compression !== 'none') {
      const writable = session.directory(log.directory)
      const archive = await makeArchive(writable, generation, log.path, compression, signal)
      made.add({ log, reopened, ...archive })
    } else {
      recordProof(session, log, generation, await hashGeneration(directory, generation, signal), reopened)
    }
  } catch (error) {
    signal.throwIfAborted()
    tellFailure(session, log, generation, error)
  }
}

/**
 * Archives whose sources are still there. Several at a time get their names on the disk and their records kept, and
 * only then the sources go: whatever cuts that off, each record has its file.
 */
class MadeArchives {
  private archives: (Archived & { log: SurveyedLog; reopened: boolean | null })[] = []

  constructor(private readonly session: Session) {}

  add(archive: Archived & { log: SurveyedLog; reopened: boolean | null }): void {
    this.archives.push(archive)
    if (this.archives.length >= AT_A_TIME) this.conclude()
  }

  conclude(): void {
    const { session } = this
    const archives = this.archives.splice(0)
    if (archives.length === 0) return
    session.lookAgain()
    for (const path of new Set(archives.map(({ log }) => log.directory))) {
      session.directory(path).syncDirectory(path)
    }
    const records = archives.map(({ log, generation, proof, reopened }) =>
      recordProof(session, log, generation, proof, reopened),
    )
    session.records.save(session.ctx.state)
    for (const [index, archive] of archives.entries()) {
      const { log, generation } = archive
      try {
        removeSource(session.directory(log.directory), archive)
      } catch (error) {
        const record = records[index]
        if (record) session.records.drop(record)
        tellFailure(session, log, generation, error)
      }
    }
  }
}

function tellFailure(session: Session, log: SurveyedLog, generation: Generation, error: unknown): void {
  if (error instanceof StillWrittenError) return // it stays due
  session.fail(
    'compression-failed',
    generation.path,
    `${generation.path} was not compressed: ${describeError(error)}`,
    errnoOf(error) === 'ENOSPC'
      ? `Make room on the file system of ${log.directory}; the generation stays complete and uncompressed`
      : 'The generation stays complete and uncompressed; correct the cause, the next run tries again',
  )
}

function recordProof(
  session: Session,
  log: SurveyedLog,
  generation: Generation,
  proof: Proof,
  reopened: boolean | null,
): GenerationRecord {
  const known = findRecord(session.records.ofLog(log.path), generation.stat)
  const file = session.look(log.directory).stat(proof.path)
  if (!file) throw new Error(`Cannot keep the proof of "${proof.path}": it is gone`)
  const read = generation.compression === 'none' ? generation.stat.size : proof.contentBytes
  const record: GenerationRecord = {
    log: log.path,
    set: log.set.name,
    ino: file.ino,
    fileBytes: proof.fileBytes,
    mtimeMs: file.mtimeMs,
    fileSha256: proof.fileSha256,
    compression: proof.compression,
    bytesIn: known?.bytesIn ?? read,
    bytesArchived: proof.contentBytes,
    contentSha256: proof.contentSha256,
    rotatedMs: known?.rotatedMs ?? session.state.clocks[log.path]?.rotatedMs ?? generation.stat.mtimeMs,
    reopened: reopened ?? known?.reopened ?? null,
    writers: known?.writers ?? writersText(session.ctx.host.writersOf(generation.stat)),
  }
  session.records.put(record, generation.stat)
  session.artifacts.push(artifactOf(record, proof.path))
  return record
}
