import { z } from 'zod'
import { SEVERITIES } from '../contract/report.ts'
import { listFindings } from '../store/read-findings.ts'
import { idCursorParameter, limitParameter, nameParameter, pageOf } from './parameters.ts'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'

export const findingRoutes: Route[] = [
  defineRoute({
    name: 'listFindings',
    method: 'get',
    path: '/v1/findings',
    access: 'read',
    summary: 'What is and was wrong with the host, the newest first',
    query: () =>
      z.strictObject({
        state: z.enum(['open', 'resolved']).optional().describe('Default: both'),
        severity: z.enum(SEVERITIES).optional().describe('Only of this severity'),
        job: nameParameter('Only of this job'),
        rule: nameParameter('Only of this rule'),
        limit: limitParameter(),
        cursor: idCursorParameter(),
      }),
    answers: { 200: { means: 'A page of findings', schema: 'FindingList' } },
    handle({ c, deps, query }) {
      const { limit, cursor, ...filter } = query
      const rows = listFindings(deps.store, { ...filter, before: cursor, limit: limit + 1 })
      return c.json(
        present(
          'FindingList',
          pageOf(rows, limit, (finding) => String(finding.id)),
        ),
      )
    },
  }),
]
