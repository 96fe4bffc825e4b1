import { ProblemError } from './problem.ts'
import { defineRoute, type Route } from './route.ts'

export const healthRoutes: Route[] = [
  defineRoute({
    name: 'getHealth',
    method: 'get',
    path: '/healthz',
    access: 'open',
    summary: 'Whether the daemon answers at all',
    answers: { 200: { means: 'It does', schema: 'Health' } },
    handle: ({ c }) => c.json({ status: 'pass' }),
  }),
  defineRoute({
    name: 'getReadiness',
    method: 'get',
    path: '/readyz',
    access: 'open',
    summary: 'Whether the daemon does its work',
    answers: {
      200: { means: 'It does', schema: 'Readiness' },
      503: { means: 'It does not; `reasons` says why' },
    },
    handle({ c, deps }) {
      const { ready, reasons } = deps.readiness()
      if (ready) return c.json({ status: 'pass', ready })
      throw new ProblemError('not-ready', reasons.join('; ') || 'not started yet', {
        members: { ready, reasons },
      })
    },
  }),
]
