import {
  type Blind,
  type CheckContext,
  describeError,
  errnoOf,
  type Fact,
  type Finding,
  type HostReader,
  type Report,
} from '../../agent/contract/mod.ts'
import { checkUnits } from './check-units.ts'
import type { Config } from './config.ts'
import { assignmentsOf } from './files/settings.ts'
import { SYSTEM_DIRECTORIES, UnitTree } from './files/unit-tree.ts'
import { judgeFailed, judgeReloadNeeded } from './judge/failed.ts'
import { judgePurpose } from './judge/purpose.ts'
import { reactionTo, reloadSignal } from './judge/signals.ts'
import { calendarsOf, judgeTimers } from './judge/timers.ts'
import { calendarPeriods } from './live/periods.ts'
import type { Properties } from './live/show.ts'
import { ANALYZE, BOOTED, SYSTEMCTL, showAll } from './live/systemctl.ts'
import { type Memory, memorySchema } from './memory.ts'
import { RULES, STATE_RULES } from './rules.ts'

/** Everything that one look gathers. */
export interface Look {
  tree: UnitTree
  /** Whether systemd runs as the service manager of this very root directory. */
  isRunning: boolean
  /** Of every loaded unit; undefined when the manager does not run, or did not answer. */
  loaded: ReadonlyMap<string, Properties> | undefined
  findings: Finding[]
  blind: Blind[]
  facts: Fact[]
  examined: number
  before: Memory
  after: Memory
}

export async function checkSystemd(context: CheckContext<Config>): Promise<Report> {
  const { host, signal } = context
  const tree = new UnitTree(host, SYSTEM_DIRECTORIES)
  if (!tree.isThere) {
    const reason = 'systemd is not installed'
    return { findings: [], inapplicable: Object.keys(RULES).map((rule) => ({ rule, reason })) }
  }
  const isRunning = host.root === '/' && host.stat(BOOTED) !== undefined
  const blind: Blind[] = [...tree.blind]
  const answer = isRunning ? await showAll(host, tree.wantedBy('timers.target'), signal) : undefined
  if (answer && 'reason' in answer) blind.push({ subject: SYSTEMCTL, reason: answer.reason })
  const memory = memorySchema.safeParse(context.memory).data ?? { files: {}, timers: {} }
  const look: Look = {
    tree,
    isRunning,
    loaded: answer && 'value' in answer ? answer.value : undefined,
    findings: [],
    blind,
    facts: [],
    examined: 0,
    before: memory,
    after: { files: {}, timers: memory.timers },
  }
  if (look.loaded) await checkStates(context, look, look.loaded)
  const idleUnits = await checkUnits(context, look)
  checkPurposes(context, look)
  const reason = `systemd does not run ${host.root === '/' ? 'here' : 'in this tree'}`
  return {
    findings: look.findings,
    blind: look.blind,
    inapplicable: [...(isRunning ? [] : STATE_RULES.map((rule) => ({ rule, reason }))), ...idleUnits],
    facts: look.facts,
    metrics: look.loaded
      ? [
          {
            name: 'failed_units',
            value: [...look.loaded.values()].filter((unit) => unit.get('ActiveState') === 'failed').length,
            help: 'Units that have failed, those that may be included',
          },
        ]
      : [],
    coverage: { examined: (look.loaded?.size ?? 0) + look.examined, skipped: 0 },
    memory: look.after,
  }
}

/** What holds for all units of the running system. */
async function checkStates(
  { config, host, now, signal }: CheckContext<Config>,
  look: Look,
  loaded: ReadonlyMap<string, Properties>,
): Promise<void> {
  look.findings.push(...judgeFailed(loaded, config.ignoreFailed), ...judgeReloadNeeded(loaded))
  const periods = await calendarPeriods(host, calendarsOf(loaded), signal)
  if ('reason' in periods)
    look.blind.push({ subject: ANALYZE, reason: periods.reason, rules: ['timer-missed'] })
  const timers = judgeTimers(loaded, {
    nowMs: now.getTime(),
    graceMs: config.timerGrace,
    ignored: config.ignoreTimers,
    memory: look.before.timers,
    periods: 'value' in periods ? periods.value : new Map(),
  })
  look.findings.push(...timers.findings)
  look.after.timers = timers.memory
  for (const [name, properties] of loaded) {
    const pid = Number(properties.get('MainPID') ?? 0)
    if (pid > 0) judgeReloadSignal(host, look, name, pid)
  }
}

/** Whether the process of a service lives through what its reload sends. */
function judgeReloadSignal(host: HostReader, look: Look, name: string, pid: number): void {
  const { directives, blind } = look.tree.read(name)
  look.blind.push(...blind.map((one) => ({ ...one, rules: ['reload-would-kill'] })))
  const lines = assignmentsOf(directives, 'Service', 'ExecReload')
  const [line, sent] = lines.flatMap((line) => {
    const signal = reloadSignal(line)
    return signal ? [[line, signal] as const] : []
  })[0] ?? [undefined, undefined]
  if (!line || !sent) return
  let status: string
  try {
    status = host.readText(`/proc/${pid}/status`)
  } catch (error) {
    // It has ended meanwhile; else it is hidden, and with hidepid the first process is, too.
    if (host.stat(`/proc/${pid}`) || !host.stat('/proc/1'))
      look.blind.push({ subject: name, reason: describeError(error), rules: ['reload-would-kill'] })
    return
  }
  if (reactionTo(status, sent.number) !== 'dies') return
  look.findings.push({
    rule: 'reload-would-kill',
    subject: name,
    severity: 'warning',
    summary: `"systemctl reload ${name}" ends it: it sends SIG${sent.name}, which process ${pid} does not handle`,
    remedy: `# restart it instead; so that nobody reloads it:\nmkdir -p '/etc/systemd/system/${name}.d'\nprintf '[Service]\\nExecReload=\\n' > '/etc/systemd/system/${name}.d/50-no-reload.conf'\nsystemctl daemon-reload`,
    evidence: { signal: `SIG${sent.name}`, path: line.path, line: line.line },
  })
}

function checkPurposes({ config: { purposes }, host }: CheckContext<Config>, look: Look): void {
  if (purposes.length === 0) return
  const names = [...new Set([...look.tree.names(), ...(look.loaded?.keys() ?? [])])]
  if (look.isRunning && !look.loaded) return // Blind already: nobody told what is active.
  const starting = new Set(['enabled', 'alias', 'static', 'indirect', 'generated'])
  for (const purpose of purposes) {
    const candidates = names.map((name) => {
      const properties = look.loaded?.get(name)
      const enablement = () => properties?.get('UnitFileState') || look.tree.read(name).enablement
      return {
        name,
        isActive: look.loaded && properties?.get('ActiveState') === 'active',
        get isEnabled() {
          return starting.has(enablement()) && (name !== 'ufw.service' || isUfwOn(host, look))
        },
      }
    })
    look.examined++
    look.findings.push(...judgePurpose(purpose, candidates))
  }
}

export const UFW_SETTINGS = '/etc/ufw/ufw.conf'

/** Its unit is enabled and "active" from its installation on; what it does is said in its settings. */
function isUfwOn(host: HostReader, look: Look): boolean {
  try {
    return /^\s*ENABLED=["']?yes["']?\s*$/im.test(host.readText(UFW_SETTINGS))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      look.blind.push({ subject: UFW_SETTINGS, reason: describeError(error), rules: ['purpose-unserved'] })
    return false
  }
}
