import { z } from 'zod'
import { describeApi } from '../../agent/api/openapi.ts'
import { routes } from '../../agent/api/routes.ts'
import { version } from '../../agent/version.ts'
import { describeType, type JsonSchema, markdownTable } from './settings.ts'

const parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query']),
  description: z.string().optional(),
  schema: z.custom<JsonSchema>((value) => typeof value === 'object' && value !== null),
})
const operation = z.object({
  parameters: z.array(parameter),
  responses: z.record(z.string(), z.object({ description: z.string() })),
})
const description = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) })

const ACCESS = {
  open: 'anyone',
  local: 'anyone on this machine; others `read`',
  feed: '`feed`, in the URL too',
  read: '`read`',
  operate: '`operate`',
  admin: '`admin`',
}

/** Every route: who may ask, what with, what comes back. */
export function apiReference(): string {
  const { paths } = description.parse(describeApi(routes, version))
  const overview = markdownTable(
    ['Request', 'Who may', 'What'],
    routes.map((route) => [
      `[\`${route.method.toUpperCase()} ${route.path}\`](#${anchorOf(route)})`,
      ACCESS[route.access],
      route.summary,
    ]),
  )
  const sections = routes.map((route) => {
    const { parameters = [], responses = {} } = paths[route.path]?.[route.method] ?? {}
    const answers = Object.entries(responses).filter(([status]) => status !== 'default')
    return [
      `### ${route.method.toUpperCase()} ${route.path}`,
      `${route.summary}.`,
      ...(parameters.length > 0 ? [parameterTable(parameters)] : []),
      answers.map(([status, { description }]) => `- ${status}: ${description}`).join('\n'),
    ].join('\n\n')
  })
  return [overview, ...sections].join('\n\n')
}

function parameterTable(parameters: z.output<typeof parameter>[]): string {
  return markdownTable(
    ['Parameter', 'In', 'Value', 'Default', 'Meaning'],
    parameters.map(({ name, in: place, description = '', schema }) => [
      `\`${name}\``,
      place,
      describeType(schema),
      schema.default === undefined ? '' : `\`${String(schema.default)}\``,
      description,
    ]),
  )
}

/** As GitHub makes the anchor of a heading. */
function anchorOf({ method, path }: { method: string; path: string }): string {
  return `${method} ${path}`
    .toLowerCase()
    .replaceAll(' ', '-')
    .replaceAll(/[^a-z0-9_-]/g, '')
}
