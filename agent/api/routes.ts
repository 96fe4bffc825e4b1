import { auditRoutes } from './audits.ts'
import { calendarRoutes } from './calendar.ts'
import { findingRoutes } from './findings.ts'
import { healthRoutes } from './health.ts'
import { inventoryRoutes } from './inventory.ts'
import { jobRoutes } from './jobs.ts'
import { metricRoutes } from './metrics.ts'
import { reloadRoutes } from './reload.ts'
import { defineRoute, type Route } from './route.ts'
import { runRoutes } from './runs.ts'
import { silenceRoutes } from './silences.ts'
import { statusRoutes } from './status.ts'

/** Every route of the API; the page has its own. */
export const routes: Route[] = [
  ...healthRoutes,
  ...statusRoutes,
  ...jobRoutes,
  ...runRoutes,
  ...findingRoutes,
  ...silenceRoutes,
  ...auditRoutes,
  ...inventoryRoutes,
  ...calendarRoutes,
  ...metricRoutes,
  ...reloadRoutes,
  defineRoute({
    name: 'getDescription',
    method: 'get',
    path: '/openapi.json',
    access: 'read',
    summary: 'This description',
    answers: { 200: { means: 'OpenAPI 3.1', contentType: 'application/json' } },
    async handle({ c, deps }) {
      // Loaded when asked for: the daemon starts without it.
      const { describeApi } = await import('./openapi.ts')
      return c.json(describeApi(routes, deps.version))
    },
  }),
]
