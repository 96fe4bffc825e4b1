import type { Format } from './model.ts'

export const json: Format = {
  means: 'All of it, for programs',
  render: ({ rules, at, since, ...model }) =>
    `${JSON.stringify(
      {
        ...model,
        at: new Date(at).toISOString(),
        since: new Date(since).toISOString(),
        rules: Object.fromEntries(rules),
      },
      null,
      2,
    )}\n`,
}
