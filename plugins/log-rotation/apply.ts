import { type ApplyContext, describeError, type Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { prove } from './prove.ts'
import { pruneOutlived } from './records/judge.ts'
import { recover } from './recover.ts'
import { rotateDue } from './rotate.ts'
import { Session } from './session.ts'
import { settle } from './settle.ts'

/** Acts on the findings of the check before, in an order in which each step may be the last one. */
export async function applyRotation(ctx: ApplyContext<Config>): Promise<Report> {
  const session = new Session(ctx)
  try {
    recover(session)
    // First of all what needs no room: it may be the disk that is full.
    removeExpired(session)
    rotateDue(session)
    await settle(session)
    await prove(session)
    removeExpired(session)
    pruneRecords(session)
    session.records.save(ctx.state)
    // Last: for this the process becomes root, and stays it.
    if (ctx.config.logrotate.length > 0) {
      const { applyAdopted } = await import('./adopted/apply.ts')
      const adopted = await applyAdopted(ctx, session.records)
      session.findings.push(...adopted.findings)
      session.artifacts.push(...adopted.artifacts)
    }
    return { findings: session.findings, artifacts: session.artifacts }
  } finally {
    session.close()
  }
}

function removeExpired(session: Session): void {
  for (const { log, expired } of session.plans(session.ctx.now.getTime())) {
    for (const { generation } of expired) {
      const { path } = generation
      if (!session.touched.has(log.path) && !session.wants('retention-exceeded', path)) continue
      session.ctx.signal.throwIfAborted()
      try {
        session.directory(log.directory).remove(path)
        session.records.forget(log.path, generation.stat)
        session.ctx.log.info('removed a generation', { log: log.path, path })
      } catch (error) {
        session.fail(
          'removal-failed',
          path,
          `${path} was not removed: ${describeError(error)}`,
          `Remove it: rm ${path}`,
        )
      }
    }
  }
}

function pruneRecords(session: Session): void {
  const { records, touched } = session
  const now = session.ctx.now.getTime()
  for (const { log } of session.plans(now)) {
    if (!touched.has(log.path)) continue
    const files = log.generations.map(({ path, stat }) => ({ path, ...stat }))
    pruneOutlived(records, log.path, files, { keep: log.set.keep, maxAgeMs: log.set.maxAge }, now)
  }
}
