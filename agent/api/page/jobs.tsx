/** @jsxImportSource hono/jsx */
import { formatDuration } from '../../lib/duration.ts'
import { formatProgress } from '../../lib/progress.ts'
import type { DescribedJob } from '../jobs.ts'
import { isConfined } from '../status.ts'
import { JOB_WORDS } from '../words.ts'
import { Badge, Time, toneOf } from './parts.tsx'

/** The jobs, the most urgent first. */
export function Jobs({ jobs, mayRun, now }: { jobs: DescribedJob[]; mayRun: boolean; now: number }) {
  return (
    <section aria-labelledby="jobs">
      <h2 id="jobs">Jobs</h2>
      {jobs.length === 0 ? (
        <p class="empty">No job is configured.</p>
      ) : (
        <table class="stack jobs">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Job</th>
              <th scope="col">Last run</th>
              <th scope="col">Last complete look</th>
              <th scope="col">Next run</th>
              <th scope="col">Mode</th>
              {mayRun && (
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <JobRow job={job} mayRun={mayRun} now={now} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function JobRow({ job, mayRun, now }: { job: DescribedJob; mayRun: boolean; now: number }) {
  return (
    <tr id={`job-${job.name}`}>
      <td>
        <Badge tone={toneOf(job.state)} words={JOB_WORDS[job.state]} />
      </td>
      <th scope="row">
        <span class="name">{job.name}</span>
        <span class="sub">{job.summary}</span>
        {job.reason && <span class="why">{job.reason}</span>}
      </th>
      <td data-label="Last run">
        <LastRun job={job} now={now} />
      </td>
      <td data-label="Last complete look">
        <Time at={job.lastGoodAt} now={now} />
      </td>
      <td data-label="Next run">
        <Time at={job.nextRunAt} now={now} never="not planned" />
        <span class="sub">
          <code>{job.schedule}</code>
        </span>
      </td>
      <td data-label="Mode">
        {job.mode}
        <Confinement sandbox={job.sandbox} />
      </td>
      {mayRun && <td class="action">{job.enabled && job.refused === null && <RunNow job={job} />}</td>}
    </tr>
  )
}

function LastRun({ job, now }: { job: DescribedJob; now: number }) {
  if (job.running) {
    const { progress, startedAt } = job.running
    return (
      <>
        running, began <Time at={startedAt} now={now} />
        {progress && (
          <span class="sub">
            {formatProgress(progress)}{' '}
            {progress.total > 0 && (
              <progress max={progress.total} value={progress.done} aria-label={progress.label} />
            )}
          </span>
        )}
      </>
    )
  }
  if (!job.lastRun) return <Time at={null} now={now} />
  const { outcome, startedAt, durationMs } = job.lastRun
  return (
    <>
      <Time at={startedAt} now={now} />
      <span class="sub">
        {outcome}
        {durationMs !== null && `, took ${formatDuration(durationMs)}`}
      </span>
    </>
  )
}

function Confinement({ sandbox }: { sandbox: string | null }) {
  if (sandbox === null) return <span class="sub">not known yet if confined</span>
  if (isConfined(sandbox))
    return (
      <span class="sub" title={sandbox}>
        confined
      </span>
    )
  return (
    <span class="sub">
      <Badge tone="attention" words="not confined" />
    </span>
  )
}

function RunNow({ job }: { job: DescribedJob }) {
  return (
    <form method="post" action="/run">
      <input type="hidden" name="job" value={job.name} />
      <button type="submit" disabled={job.running !== null} aria-label={`Run ${job.name} now`}>
        Run now
      </button>
    </form>
  )
}
