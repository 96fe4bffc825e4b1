import { z } from 'zod'
import { ProblemError } from './problem.ts'
import { defineRoute, type Route } from './route.ts'
import { leaveTrail } from './trail.ts'

export const reloadRoutes: Route[] = [
  defineRoute({
    name: 'reload',
    method: 'post',
    path: '/v1/reload',
    access: 'admin',
    summary: 'Read the configuration anew; a bad one is refused and the old one stays in force',
    query: () => z.strictObject({}),
    answers: {
      204: { means: 'The new configuration is in force' },
      422: { means: 'The configuration is refused; `detail` has every problem' },
    },
    async handle({ c, deps, caller }) {
      if (!caller) throw new ProblemError('unauthenticated', 'This needs a token.')
      const problem = await deps.reload()
      const result = problem === null ? 'ok' : 'refused'
      leaveTrail(deps, c, {
        actor: caller.actor,
        action: 'reload',
        object: 'configuration',
        result,
        detail: {},
      })
      if (problem !== null) throw new ProblemError('configuration-refused', problem)
      return c.body(null, 204)
    },
  }),
]
