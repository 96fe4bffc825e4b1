import { outboxCounts } from '../store/outbox.ts'
import { lastSandboxes } from '../store/read-runs.ts'
import { hostStatus, type JobStatus, jobStatuses, ownFindings } from '../store/status.ts'
import type { ApiDeps } from './deps.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'
import { describeHost } from './words.ts'

/** How the host is, in counts only: no name, path or subject, since anyone on this machine may ask. */
export function statusSummary(deps: ApiDeps, jobs: JobStatus[] = jobStatuses(deps.store, deps.jobs())) {
  const status = hostStatus(jobs, ownFindings(deps.store))
  const words = describeHost(status)
  return {
    state: status.state,
    headline: words.headline,
    summary: words.sentence,
    ready: deps.readiness().ready,
    at: deps.now(),
    goodSince: status.goodSince,
    jobs: status.jobs,
    openFindings: status.openFindings,
    alerts: undelivered(deps),
    sandbox: countSandboxes(deps, jobs),
  }
}

/** Alerts that did not reach anybody yet, or never will, over all channels. */
export function undelivered(deps: ApiDeps): {
  pending: number
  dead: number
  oldestPendingAt: number | null
} {
  const channels = outboxCounts(deps.store)
  const waiting = channels.flatMap((channel) => channel.pendingSince ?? [])
  return {
    pending: channels.reduce((sum, channel) => sum + channel.pending, 0),
    dead: channels.reduce((sum, channel) => sum + channel.dead, 0),
    oldestPendingAt: waiting.length > 0 ? Math.min(...waiting) : null,
  }
}

/** Whether a run was kept to its permissions: "landlock-7+seccomp" was; "seccomp" alone and "off" were not. */
export function isConfined(sandbox: string): boolean {
  return sandbox.startsWith('landlock')
}

export type StatusSummary = ReturnType<typeof statusSummary>

function countSandboxes(deps: ApiDeps, jobs: JobStatus[]) {
  const enabled = jobs.filter((job) => job.enabled).map((job) => job.name)
  const sandboxes = lastSandboxes(deps.store, enabled)
  const known = [...sandboxes.values()]
  const confined = known.filter(isConfined).length
  return { confined, unconfined: known.length - confined, unknown: enabled.length - known.length }
}

export const statusRoutes: Route[] = [
  defineRoute({
    name: 'getStatus',
    method: 'get',
    path: '/v1/status',
    access: 'local',
    summary: 'How the host is, in counts. On this machine without a token',
    answers: { 200: { means: 'The state of the host', schema: 'Status' } },
    handle: ({ c, deps }) => c.json(present('Status', statusSummary(deps))),
  }),
]
