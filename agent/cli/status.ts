import { planJobs } from '../engine/scheduler.ts'
import { isLocked } from '../host/lock.ts'
import { formatDuration } from '../lib/duration.ts'
import { hostStatus, type JobState, type JobStatus, jobStatuses, ownFindings } from '../store/status.ts'
import { type CliCommand, EXIT } from './command.ts'
import { readHost, readStore } from './host.ts'
import { paint, paintState, print, printJson, table } from './print.ts'

export const status: CliCommand = {
  name: 'status',
  summary: 'How this host is: each job with its state',
  usage: '',
  json: true,
  async run(invocation) {
    const host = await readHost(invocation)
    const store = readStore(host)
    const now = Date.now()
    const isRunning = (job: string) => isLocked(`${host.stateDir}/locks/job-${job}.lock`)
    const planned = planJobs(store ?? null, host.jobs, { now, isRunning })
    const jobs = store ? jobStatuses(store, planned) : planned.map(neverRun)
    const overall = hostStatus(jobs, store ? ownFindings(store) : undefined)
    store?.close()
    if (invocation.json) printJson({ ...overall, daemon: await daemonAnswers(host.socket), jobs })
    else {
      const rows = jobs.map((job) => [
        job.name,
        job.state,
        job.lastRun ? `${formatDuration(Math.max(0, now - job.lastRun.startedAt))} ago` : '-',
        job.nextRunAt ? `in ${formatDuration(Math.max(0, job.nextRunAt - now))}` : '-',
        job.mode,
        job.reason ?? '',
      ])
      const head = ['job', 'state', 'last run', 'next', 'mode', 'why']
      print(table(head, rows, (cell, column) => (column === 1 ? paintState(cell) : cell)))
      const { critical, warning, info } = overall.openFindings
      print('')
      print(
        `${paint('bold', 'Host:')} ${paintState(overall.state)}; open findings: ${critical} critical, ${warning} warnings, ${info} notes`,
      )
      if (overall.goodSince)
        print(
          `Everything was last seen in full ${formatDuration(now - overall.goodSince)} ago at the oldest.`,
        )
      if (!(await daemonAnswers(host.socket)))
        print(
          paint(
            'yellow',
            'The daemon does not answer: nothing runs by itself but what systemd timers start.',
          ),
        )
    }
    return exitCode(overall.state)
  },
}

function neverRun(job: ReturnType<typeof planJobs>[number]): JobStatus {
  const state: JobState = job.refused ? 'refused' : job.enabled ? 'pending' : 'disabled'
  return {
    ...job,
    state,
    reason: job.refused ?? (state === 'pending' ? 'it has not run yet' : null),
    lastRun: null,
    lastGoodAt: null,
    openFindings: { info: 0, warning: 0, critical: 0 },
  }
}

/** 0 only for what was looked at and is well. */
export function exitCode(state: JobState): number {
  if (state === 'ok') return EXIT.clean
  return state === 'critical' || state === 'warning' ? EXIT.findings : EXIT.failed
}

async function daemonAnswers(socket: string | null): Promise<boolean> {
  if (!socket) return false
  try {
    return (await fetch('http://localhost/healthz', { unix: socket, signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}
