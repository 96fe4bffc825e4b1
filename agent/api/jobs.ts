import { z } from 'zod'
import { listUrgentFindings } from '../store/read-findings.ts'
import { findRun, lastSandboxes, listRuns } from '../store/read-runs.ts'
import { jobStatuses } from '../store/status.ts'
import type { ApiContext, ApiDeps, Caller, RunNow, RunRefusal } from './deps.ts'
import { nameParameter } from './parameters.ts'
import { type ProblemCode, ProblemError } from './problem.ts'
import { defineRoute, type Route } from './route.ts'
import { presentRun, presentRunDetail } from './runs.ts'
import { present } from './schemas.ts'
import { leaveTrail } from './trail.ts'

const RUNS_OF_A_JOB = 10
const FINDINGS_OF_A_JOB = 200

const REFUSALS: Record<RunRefusal, ProblemCode> = {
  unknown: 'not-found',
  running: 'job-running',
  disabled: 'job-disabled',
  refused: 'job-refused',
  stopping: 'stopping',
}

const jobInPath = () => z.object({ name: nameParameter('Name of a job').unwrap() })

/** Jobs with their state, what they do right now, and how far their last run was confined. */
export function describeJobs(deps: ApiDeps) {
  const statuses = jobStatuses(deps.store, deps.jobs())
  const sandboxes = lastSandboxes(
    deps.store,
    statuses.map((job) => job.name),
  )
  const running = new Map(deps.running().map((run) => [run.job, run]))
  return statuses.map((job) => {
    const now = running.get(job.name)
    return {
      ...job,
      sandbox: sandboxes.get(job.name) ?? null,
      running: now ? { runId: now.runId, startedAt: now.startedAt, progress: now.progress ?? null } : null,
    }
  })
}

export type DescribedJob = ReturnType<typeof describeJobs>[number]

/** Starts a job for somebody, and records that. Throws ProblemError when it does not start. */
export async function startRun(
  deps: ApiDeps,
  c: ApiContext,
  caller: Caller,
  job: string,
): Promise<Extract<RunNow, { runId: number }>> {
  const result = await deps.runNow(job, caller.actor)
  const entry = { actor: caller.actor, action: 'run', object: job }
  if ('refused' in result) {
    leaveTrail(deps, c, { ...entry, result: 'refused', detail: { reason: result.reason } })
    throw new ProblemError(REFUSALS[result.refused], result.reason)
  }
  leaveTrail(deps, c, { ...entry, result: 'ok', detail: { run: result.runId } })
  return result
}

export const jobRoutes: Route[] = [
  defineRoute({
    name: 'listJobs',
    method: 'get',
    path: '/v1/jobs',
    access: 'read',
    summary: 'All jobs and how they are',
    query: () => z.strictObject({}),
    answers: { 200: { means: 'The jobs', schema: 'JobList' } },
    handle: ({ c, deps }) => c.json(present('JobList', { items: describeJobs(deps) })),
  }),
  defineRoute({
    name: 'getJob',
    method: 'get',
    path: '/v1/jobs/{name}',
    access: 'read',
    summary: 'One job with its last runs and its open findings',
    params: jobInPath,
    query: () => z.strictObject({}),
    answers: { 200: { means: 'The job', schema: 'JobDetail' } },
    handle({ c, deps, params }) {
      const job = describeJobs(deps).find((candidate) => candidate.name === params.name)
      if (!job) throw new ProblemError('not-found', `There is no job "${params.name}".`)
      return c.json(
        present('JobDetail', {
          ...job,
          runs: listRuns(deps.store, { job: job.name, limit: RUNS_OF_A_JOB }).map(presentRun),
          findings: listUrgentFindings(deps.store, { job: job.name, limit: FINDINGS_OF_A_JOB }),
        }),
      )
    },
  }),
  defineRoute({
    name: 'runJob',
    method: 'post',
    path: '/v1/jobs/{name}/run',
    access: 'operate',
    summary: 'Run a job now',
    params: jobInPath,
    query: () =>
      z.strictObject({
        wait: z.enum(['true', 'false']).default('false').describe('Answer when the run has ended'),
      }),
    answers: {
      200: { means: 'It has ended (only with `wait`)', schema: 'RunDetail' },
      202: { means: 'It has started; `Location` is where to look', schema: 'RunStarted' },
      409: { means: 'It is running already, disabled, or not allowed to run' },
    },
    async handle({ c, deps, params, query, caller }) {
      if (!caller) throw new ProblemError('unauthenticated', 'This needs a token.')
      const { runId, finished } = await startRun(deps, c, caller, params.name)
      c.header('Location', `/v1/runs/${runId}`)
      if (query.wait === 'false') return c.json(present('RunStarted', { runId, job: params.name }), 202)
      c.env.keepOpen?.()
      await Promise.allSettled([finished])
      const run = findRun(deps.store, runId)
      if (!run) throw new ProblemError('internal', `Run ${runId} has left no row.`)
      return c.json(presentRunDetail(deps, run))
    },
  }),
]
