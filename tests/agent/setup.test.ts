import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Describe, loadSetup } from '../../agent/setup.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

const CHECK = 'plugin: command, config: { argv: [/bin/true] }'

const mine: Awaited<ReturnType<Describe>> = {
  name: 'mine',
  summary: 'An external plugin',
  defaults: { schedule: '@weekly', timeout: '90s' },
  rules: {},
  canApply: true,
  jobs: { x: { check: { read: ['/etc/a'] }, apply: { write: ['/srv/b'] } } },
}

async function setup(text: string, describe: Describe = async () => mine) {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return loadSetup(path, builtInPlugins, describe)
}

async function onlyJob(text: string, describe?: Describe) {
  const { jobs } = await setup(text, describe)
  const [job] = jobs
  if (!job || jobs.length !== 1) throw new Error(`${jobs.length} jobs`)
  return job
}

test('loadSetup() takes what a job does not say from the defaults, then from the plugin', async () => {
  expect(await onlyJob(`jobs: { a: { ${CHECK} } }`)).toMatchObject({
    name: 'a',
    plugin: { name: 'command', file: null, canApply: true },
    schedule: '*/5 * * * *',
    timeoutMs: 300_000,
    jitterMs: 0,
    mode: 'observe',
    sandbox: 'always',
    enabled: true,
    refused: null,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  })
  const defaults = 'defaults: { timezone: Europe/Vienna, timeout: 7m, jitter: 3s, sandbox: auto }'
  const general = { timezone: 'Europe/Vienna', timeoutMs: 420_000, jitterMs: 3000, sandbox: 'auto' }
  expect(await onlyJob(`${defaults}\njobs: { a: { ${CHECK} } }`)).toMatchObject(general)
  const own = 'timezone: UTC, timeout: 1s, jitter: 0s, sandbox: off, schedule: "@daily"'
  expect(await onlyJob(`${defaults}\njobs: { a: { ${own}, ${CHECK} } }`)).toMatchObject({
    timezone: 'UTC',
    timeoutMs: 1000,
    jitterMs: 0,
    sandbox: 'off',
    schedule: '@daily',
  })
})

test('loadSetup() gives a manual job no schedule', async () => {
  expect((await onlyJob(`jobs: { a: { schedule: manual, ${CHECK} } }`)).schedule).toBeNull()
})

test('loadSetup() gives a job the permissions that its plugin says it needs', async () => {
  expect((await onlyJob(`jobs: { a: { ${CHECK} } }`)).permissions.check.run).toEqual([['/bin/true']])
})

test('loadSetup() tells two configurations of a job apart, and only by what they mean', async () => {
  const digest = async (text: string) => (await onlyJob(text)).configDigest
  const first = await digest(`jobs: { a: { ${CHECK} } }`)
  expect(await digest(`# a comment\njobs:\n  a: { ${CHECK} }\n`)).toBe(first)
  expect(await digest(`jobs: { a: { timeout: 1m, ${CHECK} } }`)).not.toBe(first)
  expect(await digest('jobs: { a: { plugin: command, config: { argv: [/bin/false] } } }')).not.toBe(first)
})

const EXTERNAL = 'plugins: { paths: [/srv/mine.ts] }\njobs: { x: { plugin: mine, '
const grants: [name: string, job: string, refused: string | null][] = [
  ['nothing is granted', '', 'read /etc/a'],
  ['its check is granted', 'grant: { read: [/etc] }', null],
  ['it enforces and its check is granted', 'mode: enforce, grant: { read: [/etc] }', 'write /srv/b'],
  ['it enforces and all is granted', 'mode: enforce, grant: { read: [/etc], write: [/srv] }', null],
  ['it enforces and nothing is granted', 'mode: enforce', 'read /etc/a, write /srv/b'],
]
for (const [name, job, missing] of grants) {
  test(`loadSetup() ${missing ? 'refuses' : 'takes'} a job of an external plugin when ${name}`, async () => {
    const { refused, plugin, schedule, timeoutMs } = await onlyJob(`${EXTERNAL}${job} } }`)
    expect(refused).toBe(missing && `it asks for permissions that are not granted: ${missing}`)
    expect({ plugin, schedule, timeoutMs }).toEqual({
      plugin: { name: 'mine', summary: 'An external plugin', file: '/srv/mine.ts', canApply: true },
      schedule: '@weekly',
      timeoutMs: 90_000,
    })
  })
}

test('loadSetup() asks an external plugin about its own jobs, never about those of built-in ones', async () => {
  const asked: unknown[] = []
  await setup(
    `${EXTERNAL}config: { a: 1 }, grant: { read: [/etc] } }, b: { ${CHECK} } }`,
    async (file, configs) => {
      asked.push(file, configs)
      return mine
    },
  )
  expect(asked).toEqual(['/srv/mine.ts', { x: { a: 1 } }])
})

const refusals: [name: string, text: string, describe: Describe, message: RegExp][] = [
  [
    'cannot be loaded',
    `${EXTERNAL} } }`,
    () => Promise.reject(new Error('it is broken')),
    /:1:\d+: plugins\.paths\.0: it is broken$/,
  ],
  [
    'has the name of a built-in one',
    `${EXTERNAL} } }`,
    async () => ({ ...mine, name: 'backup' }),
    /there is another plugin "backup"/,
  ],
  [
    'does not take the settings of a job',
    `${EXTERNAL} } }`,
    async () => ({ ...mine, jobs: { x: { error: 'no' } } }),
    /:2:\d+: jobs\.x\.config: no$/,
  ],
  [
    'has another name than the job says',
    `${EXTERNAL} } }`,
    async () => ({ ...mine, name: 'yours' }),
    /:2:\d+: jobs\.x\.plugin: there is no plugin "mine"/,
  ],
  [
    'has a schedule that cannot be used',
    `${EXTERNAL} } }`,
    async () => ({ ...mine, defaults: { schedule: 'hourly', timeout: '1m' } }),
    /plugins\.paths\.0: its schedule "hourly" cannot be used/,
  ],
  [
    'has a timeout that is none',
    `${EXTERNAL} } }`,
    async () => ({ ...mine, defaults: { schedule: 'manual', timeout: 'soon' } }),
    /plugins\.paths\.0: its timeout "soon" is no duration/,
  ],
]
for (const [name, text, describe, message] of refusals) {
  test(`loadSetup() tells the place of an external plugin that ${name}`, async () => {
    expect(setup(text, describe)).rejects.toThrow(message)
  })
}
