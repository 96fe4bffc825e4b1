import { z } from 'zod'
import { defineRoute, type Route } from './route.ts'
import { present } from './schemas.ts'

export const auditRoutes: Route[] = [
  defineRoute({
    name: 'listAudits',
    method: 'get',
    path: '/v1/audits',
    access: 'read',
    summary: 'The checklists of the profiles in use, item by item, as the last runs left them',
    query: () => z.strictObject({}),
    answers: { 200: { means: 'The checklists', schema: 'AuditList' } },
    handle: ({ c, deps }) => c.json(present('AuditList', { items: deps.audits() })),
  }),
]
