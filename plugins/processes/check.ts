import {
  type Blind,
  type CheckContext,
  describeError,
  type Fact,
  type Finding,
  globMatcher,
  type HostReader,
  type Inapplicable,
  type ProcessSurvey,
  type Report,
} from '../../agent/contract/mod.ts'
import type { Config, ProcessDemands } from './config.ts'
import { isBrowser, judgeBrowsers } from './judge/browser.ts'
import { judgeDemands, type Seen } from './judge/demands.ts'
import { judgeReplaced } from './judge/replaced.ts'
import { judgeRootListeners } from './judge/root-listeners.ts'
import { parseListeners } from './parse-proc.ts'
import { ProcessTable } from './process-table.ts'
import { DEMAND_RULES, RULES, SURVEY_RULES } from './rules.ts'
import { listed, type Whereabouts } from './whereabouts.ts'

interface Look {
  host: HostReader
  table: ProcessTable
  /** All that were seen, without threads of the kernel. */
  pids: number[]
  survey: ProcessSurvey | undefined
  /** File that a process executes, as far as it could be looked at. */
  programs: ReadonlyMap<number, string>
  blind: Blind[]
}

export async function checkProcesses({ config, host }: CheckContext<Config>): Promise<Report> {
  if (host.root !== '/') {
    const reason = 'nothing runs in this tree'
    return { findings: [], inapplicable: Object.keys(RULES).map((rule) => ({ rule, reason })) }
  }
  const table = new ProcessTable(host)
  const ids = table.ids()
  const look: Look = {
    host,
    table,
    pids: ids.filter((pid) => !table.isKernelThread(pid)),
    survey: host.processSurvey(),
    programs: new Map(
      Object.entries(host.processSurvey()?.programs ?? {}).flatMap(([path, pids]) =>
        pids.map((pid) => [pid, path]),
      ),
    ),
    blind: [],
  }
  sayWhatIsHidden(look, ids, config)
  const { survey } = look
  const findings = survey
    ? judgeReplaced(survey, (pid) => whereaboutsOf(look, pid), config.ignoreReplaced)
    : []
  const facts: Fact[] = []
  const idle: Inapplicable[] = []
  let matched = 0
  for (const demands of config.processes) {
    const seen = seenBy(look, demands)
    matched += seen.length
    findings.push(...judgeDemands(demands, seen))
    facts.push(factOf(demands, seen))
  }
  if (
    config.processes.length > 0 &&
    matched === 0 &&
    config.processes.every(({ missing }) => missing === 'ok')
  )
    idle.push(...DEMAND_RULES.map((rule) => ({ rule, reason: 'none of the processes runs' })))
  if (config.rootListeners === 'finding') findings.push(...rootListeners(look, config))
  if (config.browsers) findings.push(...browsers(look))
  return {
    findings,
    blind: look.blind,
    inapplicable: idle,
    facts,
    coverage: { examined: look.pids.length, skipped: ids.length - look.pids.length },
  }
}

/** What could not be looked at, one reason for all of it. */
function sayWhatIsHidden({ survey, pids, blind, table }: Look, ids: number[], config: Config): void {
  const rules: string[] = [...SURVEY_RULES, 'root-listener']
  if (!ids.includes(1)) {
    blind.push({ subject: '/proc', reason: 'processes of other users are hidden (mount option hidepid)' })
    return
  }
  if (!survey) {
    blind.push({ subject: 'processes', reason: 'nobody looked what they execute', rules })
    return
  }
  const isAccepted = globMatcher(config.mayBeHidden)
  const hidden = survey.hidden.flatMap((pid) => {
    const name = pids.includes(pid) ? table.status(pid)?.name : undefined
    return name === undefined || isAccepted(name) ? [] : [`${name}[${pid}]`]
  })
  if (hidden.length > 0) {
    const reason = `${listed(hidden, 3)} may not be looked at: that takes CAP_SYS_PTRACE (reeve config unit)`
    blind.push({ subject: 'processes', reason, rules })
  }
  if (survey.isCut) blind.push({ subject: 'processes', reason: 'there are more than can be told of', rules })
}

function whereaboutsOf({ table, host, programs }: Look, pid: number): Whereabouts | undefined {
  const [status, place] = [table.status(pid), table.place(pid)]
  if (!status || !place) return undefined
  const user = host.userName(status.uids[1] ?? 0)
  const { unit, owner } = place
  const ownerName = owner === undefined ? undefined : host.userName(owner)
  const known = programs.get(pid)
  // A file of memory alone has a name that chance made.
  const program = known === undefined || known.startsWith('/memfd:') ? status.name : known
  const title = unit === undefined ? `${program} (${user})` : ownerName ? `${ownerName}: ${unit}` : unit
  return { title, unit, owner: ownerName }
}

/** The processes that an entry means. */
function seenBy(look: Look, demands: ProcessDemands): Seen[] {
  const { table, host, programs, pids } = look
  const { unit, program, command, coreDumps } = demands
  const isUnit = unit === undefined ? () => true : globMatcher([unit])
  const isProgram = program === undefined ? () => true : globMatcher([program])
  return pids.flatMap((pid): Seen[] => {
    try {
      if (unit !== undefined && !isUnit(table.place(pid)?.unit ?? '')) return []
      // Where it may not be looked at, its first argument has to do.
      if (program !== undefined && !isProgram(programs.get(pid) ?? table.arguments(pid)[0] ?? '')) return []
      if (command !== undefined && !table.arguments(pid).join(' ').includes(command)) return []
      const [status, place] = [table.status(pid), whereaboutsOf(look, pid)]
      if (!status || !place) return []
      const coreLimit = coreDumps === false ? table.coreLimit(pid) : undefined
      // It has ended just now.
      if (coreDumps === false && coreLimit === undefined) return []
      return [{ pid, status, place, coreLimit, users: status.uids.map((uid) => host.userName(uid)) }]
    } catch (error) {
      look.blind.push({
        subject: `${demands.name} ${pid}`,
        reason: describeError(error),
        rules: [...DEMAND_RULES],
      })
      return []
    }
  })
}

function rootListeners(look: Look, { allowRootListeners }: Config): Finding[] {
  const { survey, table, host, programs } = look
  if (!survey) return []
  const ports = new Map(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => {
      if (!host.stat(path)) return []
      return [...parseListeners(host.readText(path, { maxBytes: 32 * 1024 * 1024 }))]
    }),
  )
  const found = Object.entries(survey.listeners).flatMap(([inode, pids]) =>
    pids.flatMap((pid) => {
      const [port, status, place] = [ports.get(inode), table.status(pid), whereaboutsOf(look, pid)]
      if (port === undefined || !status?.uids.includes(0) || !place) return []
      return [{ pid, port, program: programs.get(pid), place }]
    }),
  )
  return judgeRootListeners(found, allowRootListeners)
}

function browsers(look: Look): Finding[] {
  const { table, host, programs, pids } = look
  return judgeBrowsers(
    pids.flatMap((pid) => {
      const words = table.arguments(pid)
      const program = programs.get(pid)
      if (!isBrowser({ program, arguments: words })) return []
      const status = table.status(pid)
      if (!status) return []
      const user = host.userName(status.uids[1] ?? 0)
      const isRoot = status.uids.includes(0)
      return [{ pid, program, arguments: words, user, isRoot, unit: table.place(pid)?.unit }]
    }),
  )
}

function factOf({ name }: ProcessDemands, seen: Seen[]): Fact {
  const all = (values: (string | undefined)[]) =>
    [...new Set(values.filter((value) => value !== undefined))].toSorted()
  return {
    kind: 'process',
    subject: name,
    data: {
      processes: seen.length,
      users: listed(all(seen.flatMap(({ users }) => users)), 10),
      units: listed(all(seen.map(({ place }) => place.unit)), 10),
      capabilities: all(seen.flatMap(({ status }) => status.capabilities)).join(', '),
    },
  }
}
