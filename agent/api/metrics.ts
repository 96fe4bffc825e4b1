import { countDenied } from '../store/audit.ts'
import { listMetrics, type StoredMetric } from '../store/read-inventory.ts'
import { JOB_STATES } from '../store/status.ts'
import type { ApiDeps } from './deps.ts'
import { EXPOSITION_CONTENT_TYPE, type Family, renderExposition, type Sample } from './exposition.ts'
import { type DescribedJob, describeJobs } from './jobs.ts'
import { defineRoute, type Route } from './route.ts'
import { isConfined, statusSummary, undelivered } from './status.ts'

/** More series than this of one job are not shown; `reeve_job_series_dropped` says so. */
const MAX_SERIES_OF_A_JOB = 1000

export const metricRoutes: Route[] = [
  defineRoute({
    name: 'getMetrics',
    method: 'get',
    path: '/metrics',
    access: 'read',
    summary: 'The same for Prometheus',
    answers: { 200: { means: 'Prometheus text format 0.0.4', contentType: EXPOSITION_CONTENT_TYPE } },
    handle({ c, deps }) {
      const jobs = describeJobs(deps)
      const text = renderExposition([
        ...agentFamilies(deps, jobs),
        ...jobFamilies(jobs),
        ...pluginFamilies(deps, jobs),
      ])
      return c.body(text, 200, { 'Content-Type': EXPOSITION_CONTENT_TYPE })
    },
  }),
]

function agentFamilies(deps: ApiDeps, jobs: DescribedJob[]): Family[] {
  const status = statusSummary(deps, jobs)
  const { pending, dead, oldestPendingAt } = undelivered(deps)
  return [
    gauge('reeve_build_info', 'Version of reeve', [{ labels: { version: deps.version }, value: 1 }]),
    gauge('reeve_ready', 'Whether the daemon does its work', [{ value: Number(status.ready) }]),
    gauge('reeve_start_timestamp_seconds', 'When the daemon started', [{ value: deps.startedAt / 1000 }]),
    gauge('reeve_resident_memory_bytes', 'Memory of the daemon', [{ value: process.memoryUsage.rss() }]),
    gauge(
      'reeve_host_state',
      'The most urgent state of all jobs: 1 for the one that holds',
      stateSet(status.state, {}),
    ),
    gauge(
      'reeve_good_since_timestamp_seconds',
      'Start of the oldest last complete look of all jobs; missing when one never had any',
      seconds({}, status.goodSince),
    ),
    gauge('reeve_denied_requests', 'Requests of the last 24 hours without the right to what they asked for', [
      { value: countDenied(deps.store, deps.now() - 86_400_000) },
    ]),
    gauge('reeve_outbox_messages', 'Alerts that did not reach anybody', [
      { labels: { state: 'pending' }, value: pending },
      { labels: { state: 'dead' }, value: dead },
    ]),
    gauge(
      'reeve_outbox_oldest_pending_timestamp_seconds',
      'When the oldest alert that still waits was made',
      seconds({}, oldestPendingAt),
    ),
  ]
}

function jobFamilies(jobs: DescribedJob[]): Family[] {
  const each = (name: string, help: string, samples: (job: DescribedJob, labels: Labels) => Sample[]) =>
    gauge(
      name,
      help,
      jobs.flatMap((job) => samples(job, { job: job.name, plugin: job.plugin })),
    )
  return [
    each('reeve_job_state', 'State of a job: 1 for the one that holds', (job, labels) =>
      stateSet(job.state, labels),
    ),
    each('reeve_job_running', 'Whether a job is running', (job, labels) => [
      { labels, value: Number(job.running !== null) },
    ]),
    each('reeve_job_confined', 'Whether the kernel kept its last run to its permissions', (job, labels) =>
      job.sandbox === null ? [] : [{ labels, value: Number(isConfined(job.sandbox)) }],
    ),
    each('reeve_job_last_run_timestamp_seconds', 'Start of the last run', (job, labels) =>
      seconds(labels, job.lastRun?.startedAt ?? null),
    ),
    each('reeve_job_last_run_duration_seconds', 'How long the last run took', (job, labels) =>
      seconds(labels, job.lastRun?.durationMs ?? null),
    ),
    each(
      'reeve_job_last_success_timestamp_seconds',
      'Start of the last run that could look at everything',
      (job, labels) => seconds(labels, job.lastGoodAt),
    ),
    each('reeve_job_next_run_timestamp_seconds', 'When a job runs next', (job, labels) =>
      seconds(labels, job.nextRunAt),
    ),
    each('reeve_findings_open', 'Open findings that are not waived', (job, labels) =>
      Object.entries(job.openFindings).map(([severity, value]) => ({
        labels: { ...labels, severity },
        value,
      })),
    ),
  ]
}

/** What plugins measured, as reeve_PLUGIN_NAME with the job as a label. */
function pluginFamilies(deps: ApiDeps, jobs: DescribedJob[]): Family[] {
  const dropped: Sample[] = []
  const families = jobs.flatMap((job) => {
    const rows = listMetrics(deps.store, job.name, MAX_SERIES_OF_A_JOB + 1)
    if (rows.length > MAX_SERIES_OF_A_JOB) dropped.push({ labels: { job: job.name }, value: 1 })
    return rows.slice(0, MAX_SERIES_OF_A_JOB).map((row) => pluginFamily(job, row))
  })
  return [
    ...families,
    gauge(
      'reeve_job_series_dropped',
      `A job has more than ${MAX_SERIES_OF_A_JOB} series: not all are here`,
      dropped,
    ),
  ]
}

function pluginFamily(job: DescribedJob, row: StoredMetric): Family {
  const own: Labels = JSON.parse(row.labels)
  // As Prometheus itself does with a label that is taken.
  const labels = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [name === 'job' ? 'exported_job' : name, value]),
  )
  const plugin = job.plugin.replaceAll(/[^a-z0-9]/g, '_')
  return gauge(`reeve_${plugin}_${row.name}`, row.help ?? `Measured by the plugin ${job.plugin}`, [
    { labels: { ...labels, job: job.name }, value: row.value },
  ])
}

type Labels = Record<string, string>

function gauge(name: string, help: string, samples: Sample[]): Family {
  return { name, help, samples }
}

/** No series where nothing is known: an absent time is not the year 1970. */
function seconds(labels: Labels, milliseconds: number | null): Sample[] {
  return milliseconds === null ? [] : [{ labels, value: milliseconds / 1000 }]
}

function stateSet(current: string, labels: Labels): Sample[] {
  return JOB_STATES.map((state) => ({ labels: { ...labels, state }, value: Number(state === current) }))
}
