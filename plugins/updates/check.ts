import { type CheckContext, describeError, type Report } from '../../agent/contract/mod.ts'
import type { Area, AreaReport, Packages } from './area.ts'
import { automaticUpdates } from './automatic.ts'
import type { Config } from './config.ts'
import { type Installed, readInstalled } from './packages.ts'
import { programs } from './programs.ts'
import { reboot } from './reboot.ts'
import { securityUpdates } from './security.ts'

const AREAS: Area[] = [securityUpdates, reboot, automaticUpdates, programs]

export async function checkUpdates(ctx: CheckContext<Config>): Promise<Report> {
  const reports: AreaReport[] = []
  const packages = once(() => readInstalled(ctx.host))
  for (const area of AREAS) {
    ctx.signal.throwIfAborted()
    reports.push(await looked(area, ctx, packages))
  }
  return {
    findings: reports.flatMap(({ findings }) => findings),
    blind: reports.flatMap(({ blind = [] }) => blind),
    inapplicable: reports.flatMap(({ inapplicable = [] }) => inapplicable),
    facts: reports.flatMap(({ facts = [] }) => facts),
    metrics: reports.flatMap(({ metrics = [] }) => metrics),
    coverage: { examined: reports.reduce((sum, { examined }) => sum + examined, 0), skipped: 0 },
    memory: reports.find(({ memory }) => memory !== undefined)?.memory,
  }
}

/** What one area cannot look at leaves the others as they are. */
async function looked(area: Area, ctx: CheckContext<Config>, packages: Packages): Promise<AreaReport> {
  try {
    return await area.check(ctx, packages)
  } catch (error) {
    ctx.signal.throwIfAborted()
    const blind = [{ subject: area.subject, reason: describeError(error), rules: area.rules }]
    return { findings: [], blind, examined: 0 }
  }
}

function once(read: Packages): Packages {
  let answer: { installed: Installed | undefined } | undefined
  return () => {
    answer ??= { installed: read() }
    return answer.installed
  }
}
