import { type CheckContext, describeError, type HostReader, type Report } from '../../agent/contract/mod.ts'
import type { Area, AreaReport, Look } from './area.ts'
import { clock } from './clock.ts'
import type { Config } from './config.ts'
import { coreDumps, coreFiles } from './core-dumps.ts'
import { diskEncryption, swapEncryption } from './encryption.ts'
import { kernelSettings } from './kernel-settings.ts'
import { mountFlags } from './mount-flags.ts'
import { nameServers } from './name-servers.ts'
import { sandbox } from './sandbox.ts'

const AREAS: Area[] = [
  diskEncryption,
  swapEncryption,
  coreDumps,
  coreFiles,
  mountFlags,
  sandbox,
  kernelSettings,
  nameServers,
  clock,
]

export async function checkHardening({ config, host, now, signal }: CheckContext<Config>): Promise<Report> {
  const look: Look = { host, config, nowMs: now.getTime(), container: containerOf(host) }
  const reports: AreaReport[] = []
  for (const area of AREAS) {
    signal.throwIfAborted()
    reports.push(await looked(area, look))
  }
  return {
    findings: reports.flatMap(({ findings }) => findings),
    blind: reports.flatMap(({ blind = [] }) => blind),
    inapplicable: reports.flatMap(({ inapplicable = [] }) => inapplicable),
    facts: reports.flatMap(({ facts = [] }) => facts),
    metrics: reports.flatMap(({ metrics = [] }) => metrics),
    coverage: { examined: reports.reduce((sum, { examined }) => sum + examined, 0), skipped: 0 },
  }
}

/** What one area cannot look at leaves the others as they are. */
async function looked(area: Area, look: Look): Promise<AreaReport> {
  try {
    return await area.check(look)
  } catch (error) {
    const blind = [{ subject: area.subject, reason: describeError(error), rules: area.rules }]
    return { findings: [], blind, examined: 0 }
  }
}

/** Of the initial process namespace (the kernel's include/linux/proc_ns.h). */
const INITIAL_NAMESPACE = 'pid:[4026531836]'
/** Marks that container managers leave; a virtual machine made of an image of theirs has them, too. */
const MARKS = ['/run/systemd/container', '/.dockerenv', '/run/.containerenv']

function containerOf(host: HostReader): string | undefined {
  const link = '/proc/self/ns/pid'
  const isContainer = host.stat(link)
    ? host.readLink(link) !== INITIAL_NAMESPACE
    : MARKS.some((path) => host.stat(path))
  return isContainer ? 'this is a container' : undefined
}
