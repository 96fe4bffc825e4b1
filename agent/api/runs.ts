import { z } from 'zod'
import { listArtifacts } from '../store/read-inventory.ts'
import { findRun, listRuns, listTransitions, type Run } from '../store/read-runs.ts'
import { OUTCOMES } from '../store/schema.ts'
import type { ApiDeps } from './deps.ts'
import {
  idCursorParameter,
  idText,
  limitParameter,
  nameParameter,
  pageOf,
  sinceParameter,
} from './parameters.ts'
import { ProblemError } from './problem.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'

const TRANSITIONS_OF_A_RUN = 500
const ARTIFACTS_OF_A_RUN = 500

/** A run as lists show it: what it could not examine is only counted. */
export function presentRun(run: Run) {
  return { ...run, blindCount: run.blind.length }
}

export function presentRunDetail(deps: ApiDeps, run: Run) {
  const live = deps.running().find((candidate) => candidate.runId === run.id)
  return present('RunDetail', {
    ...presentRun(run),
    progress: live?.progress ?? null,
    transitions: listTransitions(deps.store, run.id, TRANSITIONS_OF_A_RUN),
    artifacts: listArtifacts(deps.store, { runId: run.id, limit: ARTIFACTS_OF_A_RUN }),
  })
}

export const runRoutes: Route[] = [
  defineRoute({
    name: 'listRuns',
    method: 'get',
    path: '/v1/runs',
    access: 'read',
    summary: 'Runs, the newest first',
    query: () =>
      z.strictObject({
        job: nameParameter('Only of this job'),
        outcome: z.enum(OUTCOMES).optional().describe('Only with this outcome'),
        since: sinceParameter(),
        limit: limitParameter(),
        cursor: idCursorParameter(),
      }),
    answers: { 200: { means: 'A page of runs', schema: 'RunList' } },
    handle({ c, deps, query }) {
      const { job, outcome, since, limit, cursor } = query
      const rows = listRuns(deps.store, {
        job,
        outcome,
        since: since?.(deps.now()),
        before: cursor,
        limit: limit + 1,
      })
      const page = pageOf(rows, limit, (run) => String(run.id))
      return c.json(present('RunList', { ...page, items: page.items.map(presentRun) }))
    },
  }),
  defineRoute({
    name: 'getRun',
    method: 'get',
    path: '/v1/runs/{id}',
    access: 'read',
    summary: 'One run, with what it could not examine, what it changed and what it left',
    params: () => z.object({ id: idText() }),
    query: () => z.strictObject({}),
    answers: { 200: { means: 'The run', schema: 'RunDetail' } },
    handle({ c, deps, params }) {
      const run = findRun(deps.store, params.id)
      if (!run) throw new ProblemError('not-found', `There is no run ${params.id}; old ones are removed.`)
      return c.json(presentRunDetail(deps, run))
    },
  }),
]
