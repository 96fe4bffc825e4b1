import type { ApplyContext, Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { LogPlan } from './plan.ts'
import { familiesOf, planQuotas } from './plans.ts'
import { Pressure } from './pressure.ts'
import { prove } from './prove.ts'
import { pruneOutlived } from './records/judge.ts'
import { recover } from './recover.ts'
import { removable } from './removal.ts'
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
    relievePressure(session)
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
  const now = session.ctx.now.getTime()
  const plans = session.plans(now)
  for (const { log, expired } of plans) {
    for (const { generation } of expired) {
      if (!session.touched.has(log.path) && !session.wants('retention-exceeded', generation.path)) continue
      session.remove(log.path, { path: generation.path, ...generation.stat })
    }
  }
  for (const { removals } of planQuotas(plans, session.ctx.config, now)) {
    for (const { log, file } of removals) {
      if (session.touched.has(log) || session.wants('retention-exceeded', file.path))
        session.remove(log, file)
    }
  }
}

/** One after another, the oldest first, until there is room. */
function relievePressure(session: Session): void {
  const { host, config, now, findings } = session.ctx
  if (!findings.some(({ rule }) => rule === 'disk-pressure')) return
  const plans = session.plans(now.getTime())
  const pressure = new Pressure(host)
  const limitOf = ({ log }: LogPlan) => log.set.whenFreeBelow ?? config.whenFreeBelow
  const byLog = new Map(plans.map((plan) => [plan.log.path, plan]))
  for (const { log, file } of removable(familiesOf(plans, config), now.getTime())) {
    const plan = byLog.get(log)
    const mount = plan && pressure.mountOf(plan.log.directory)
    if (!plan || mount === undefined || !session.wants('disk-pressure', mount)) continue
    if (!pressure.on(plan.log.directory, limitOf(plan))) continue
    session.remove(log, file)
    pressure.measureAnew()
  }
}

function pruneRecords(session: Session): void {
  const { records, touched } = session
  if (touched.size === 0) return
  const now = session.ctx.now.getTime()
  for (const { log } of session.plans(now)) {
    if (!touched.has(log.path)) continue
    const files = log.generations.map(({ path, stat }) => ({ path, ...stat }))
    pruneOutlived(records, log.path, files, { keep: log.set.keep, maxAgeMs: log.set.maxAge }, now)
  }
}
