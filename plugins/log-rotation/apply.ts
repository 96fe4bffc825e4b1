import { type ApplyContext, describeError, type Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { prove } from './prove.ts'
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
    // Last: for this the process becomes root, and stays it.
    if (ctx.config.logrotate.length > 0) {
      const { applyAdopted } = await import('./adopted/apply.ts')
      session.findings.push(...applyAdopted(ctx))
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
