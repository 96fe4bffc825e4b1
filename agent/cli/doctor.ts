import { readFileSync, statSync } from 'node:fs'
import { resolveSecret } from '../config/secrets.ts'
import { neededCapabilities } from '../contract/permissions.ts'
import { Accounts } from '../host/accounts.ts'
import { describeError } from '../lib/errors.ts'
import { Redactor } from '../lib/redact.ts'
import { CAPABILITIES, capabilitySet } from '../worker/capabilities.ts'
import { landlockAbi } from '../worker/landlock.ts'
import { ApiClient } from './api-client.ts'
import { type CliCommand, EXIT } from './command.ts'
import { type HostView, readHost, readStore } from './host.ts'
import { paint, print, printJson } from './print.ts'

interface Examination {
  what: string
  verdict: 'ok' | 'warning' | 'failed'
  detail: string
}

export const doctor: CliCommand = {
  name: 'doctor',
  summary: 'Whether reeve itself can do its work here',
  usage: '',
  json: true,
  async run(invocation) {
    const host = await readHost(invocation)
    const all = [
      {
        what: 'configuration',
        verdict: 'ok' as const,
        detail: `${host.configPath}, ${host.jobs.length} jobs`,
      },
      ...refusedJobs(host),
      jail(host),
      ...account(),
      stateDirectory(host),
      database(host),
      ...secrets(host),
      ...(await daemonAndCapabilities(host)),
    ]
    if (invocation.json) printJson(all)
    else for (const { what, verdict, detail } of all) print(`${mark(verdict)}  ${what}: ${detail}`)
    if (all.some(({ verdict }) => verdict === 'failed')) return EXIT.failed
    return all.some(({ verdict }) => verdict === 'warning') ? EXIT.findings : EXIT.clean
  },
}

function mark(verdict: Examination['verdict']): string {
  const style = { ok: 'green', warning: 'yellow', failed: 'red' } as const
  return paint(style[verdict], verdict.padEnd(7))
}

function refusedJobs({ jobs }: HostView): Examination[] {
  return jobs
    .filter((job) => job.refused)
    .map((job) => ({ what: `job ${job.name}`, verdict: 'failed', detail: job.refused ?? '' }))
}

function jail({ jobs }: HostView): Examination {
  const abi = landlockAbi()
  const unjailed = jobs.filter((job) => job.sandbox === 'off').map((job) => job.name)
  if (abi === 0) {
    const needing = jobs.filter((job) => job.sandbox === 'always').length
    const detail = `this kernel has no Landlock; ${needing} jobs with "sandbox: always" cannot run`
    return { what: 'jail', verdict: needing > 0 ? 'failed' : 'warning', detail }
  }
  if (unjailed.length > 0)
    return { what: 'jail', verdict: 'warning', detail: `switched off for ${unjailed.join(', ')}` }
  const limits = [abi < 4 ? 'TCP is not governed' : '', abi < 6 ? 'signals are not governed' : ''].filter(
    Boolean,
  )
  return {
    what: 'jail',
    verdict: limits.length > 0 ? 'warning' : 'ok',
    detail: [`Landlock ABI ${abi}`, ...limits].join('; '),
  }
}

/** Nothing where no daemon runs under systemd: a command may well be run by root. */
function account(): Examination[] {
  const user = daemonUser()
  if (user === undefined) return []
  return [
    {
      what: 'account',
      verdict: user === 'root' ? 'warning' : 'ok',
      detail: `the daemon runs as ${user}${user === 'root' ? '; the unit of install.sh has User=reeve' : ''}`,
    },
  ]
}

function daemonUser(): string | undefined {
  try {
    const status = readFileSync(`/proc/${daemonPid()}/status`, 'utf8')
    const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1])
    return Number.isNaN(uid) ? undefined : new Accounts('').userName(uid)
  } catch {
    return undefined // no systemd here
  }
}

function stateDirectory({ stateDir }: HostView): Examination {
  try {
    const mode = statSync(stateDir).mode & 0o7777
    const isPrivate = (mode & 0o077) === 0
    const detail = `${stateDir} (mode ${mode.toString(8).padStart(4, '0')})`
    return {
      what: 'state',
      verdict: isPrivate ? 'ok' : 'failed',
      detail: isPrivate ? detail : `${detail}; run: chmod 0700 ${stateDir}`,
    }
  } catch (error) {
    return {
      what: 'state',
      verdict: 'warning',
      detail: `${stateDir} is not there yet or cannot be seen: ${describeError(error)}`,
    }
  }
}

function database(host: HostView): Examination {
  try {
    const store = readStore(host)
    if (!store) return { what: 'database', verdict: 'warning', detail: 'nothing has run yet' }
    const answer = store.sqlite.query<{ quick_check: string }, []>('PRAGMA quick_check(5)').all()
    store.close()
    const problems = answer.map((row) => row.quick_check).filter((text) => text !== 'ok')
    return {
      what: 'database',
      verdict: problems.length > 0 ? 'failed' : 'ok',
      detail: problems.join('; ') || host.database,
    }
  } catch (error) {
    return { what: 'database', verdict: 'failed', detail: describeError(error) }
  }
}

function secrets({ config, jobs }: HostView): Examination[] {
  const references = new Set([
    ...jobs.flatMap((job) => [
      ...(job.permissions.check.secrets ?? []),
      ...(job.permissions.apply?.secrets ?? []),
    ]),
    ...config.alerts.channels.flatMap((channel) => [
      channel.url,
      channel.type === 'webhook' ? channel.secret : '',
    ]),
  ])
  const redactor = new Redactor()
  return [...references]
    .filter((reference) => /^(env|file|credential):/.test(reference))
    .map((reference): Examination => {
      try {
        resolveSecret(reference, process.env, { redactor })
        return { what: `secret ${reference}`, verdict: 'ok', detail: 'it is there' }
      } catch (error) {
        return {
          what: `secret ${reference}`,
          verdict: 'warning',
          detail: `not from here: ${describeError(error)}`,
        }
      }
    })
}

/** The daemon, and whether it has the capabilities that its jobs want. */
async function daemonAndCapabilities(host: HostView): Promise<Examination[]> {
  const client = host.socket ? new ApiClient(host.socket) : undefined
  if (!client || !(await client.isThere())) {
    return [{ what: 'daemon', verdict: 'warning', detail: `none answers at ${host.socket ?? '(no socket)'}` }]
  }
  const { body } = await client.json<{ ready: boolean; reasons?: string[]; pid?: number }>('/readyz')
  const daemon: Examination =
    body.ready === false
      ? { what: 'daemon', verdict: 'failed', detail: (body.reasons ?? []).join('; ') }
      : { what: 'daemon', verdict: 'ok', detail: 'it answers and is ready' }
  const has = daemonCapabilities()
  const wanted = host.jobs
    .filter((job) => job.enabled && !job.refused)
    .flatMap((job) => [
      job.permissions.check,
      ...(job.mode === 'enforce' && job.permissions.apply ? [job.permissions.apply] : []),
    ])
    .flatMap(neededCapabilities)
  if (has === undefined || wanted.length === 0) return [daemon]
  const missing = [...new Set(wanted)].filter(
    (name) => !(has & capabilitySet([name])) && CAPABILITIES.includes(name),
  )
  return [
    daemon,
    missing.length > 0
      ? {
          what: 'capabilities',
          verdict: 'warning',
          detail: `jobs want ${missing.join(', ')}; "reeve config unit" prints what to add`,
        }
      : { what: 'capabilities', verdict: 'ok', detail: 'the daemon has what its jobs want' },
  ]
}

/** Throws where systemd does not run it. */
function daemonPid(): string {
  const pid = Bun.spawnSync(['systemctl', 'show', '--property=MainPID', '--value', 'reeve.service'])
    .stdout.toString()
    .trim()
  if (!/^[1-9]\d*$/.test(pid)) throw new Error('systemd does not run it')
  return pid
}

/** Permitted capabilities of the service, where systemd runs it. */
function daemonCapabilities(): bigint | undefined {
  try {
    const line = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${daemonPid()}/status`, 'utf8'))
    return line ? BigInt(`0x${line[1]}`) : undefined
  } catch {
    return undefined // no systemd here
  }
}
