import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { expandProfile, profileProblems } from '../../../agent/config/expand-profile.ts'
import { profileSchema, profileUseSchema } from '../../../agent/config/profile-schema.ts'

const profile = profileSchema.parse(
  parse(readFileSync(join(import.meta.dir, 'service.profile.yaml'), 'utf8')),
)
// Written so that nobody takes them for parts of a template.
const DIRS = '$'.concat('{dirs}')
const ENDS = '$'.concat('{ends}')
const use = (more: object) => profileUseSchema.parse({ use: 'service', user: 'deploy', ...more })

test('expandProfile() puts values into jobs and items, and the name of the checklist before the jobs', () => {
  const { jobs, checklist, problems } = expandProfile(profile, use({ as: 'web' }))
  expect(problems).toEqual([])
  expect(jobs['web-files']).toEqual({
    plugin: 'permission-drift',
    schedule: '@daily',
    config: {
      rules: [{ path: '/home/deploy/.service', owner: 'deploy', note: 'costs $'.concat('{HOME}') }],
      keep: 1,
    },
  })
  expect(checklist).toMatchObject({
    name: 'web',
    profile: 'service',
    items: [
      {
        title: 'Files of deploy',
        checks: [{ job: 'web-files', rules: null, subjects: ['/home/deploy/**'] }],
      },
      { checks: [{ job: 'web-net', rules: ['exposed'], subjects: null }] },
    ],
  })
})

test('expandProfile() keeps the type of a value, and joins a list into the list that it stands in', () => {
  expect(expandProfile(profile, use({})).jobs['service-net']).toMatchObject({
    config: { ports: [80, 443, 22], days: 7 },
  })
  expect(expandProfile(profile, use({ ports: '8080,8443', days: '30' })).jobs['service-net']).toMatchObject({
    config: { ports: [8080, 8443, 22], days: 30 },
  })
})

test('expandProfile() makes a text in a list with the name of a list in it one for each of its values', () => {
  const spread = profileSchema.parse({
    name: 'spread',
    title: 'Spread',
    parameters: { dirs: { means: 'Directories' }, ends: { means: 'Ends', default: ['a', 'b'] } },
    jobs: {
      files: { plugin: 'x', config: { paths: ['/etc/x', DIRS.concat('/*.', ENDS), '$'.concat(ENDS)] } },
    },
    items: [{ id: 'files', title: 'Files', checks: [{ job: 'files', subjects: [DIRS.concat('/**')] }] }],
  })
  const expanded = (dirs: string[]) => expandProfile(spread, profileUseSchema.parse({ use: 'spread', dirs }))
  const { jobs, checklist } = expanded(['/srv', ENDS])
  const paths = ['/etc/x', '/srv/*.a', '/srv/*.b', `${ENDS}/*.a`, `${ENDS}/*.b`, ENDS]
  expect(jobs['spread-files']).toMatchObject({ config: { paths } })
  expect(checklist.items[0]?.checks[0]?.subjects).toEqual(['/srv/**', `${ENDS}/**`])
  expect(expanded([]).jobs['spread-files']).toMatchObject({ config: { paths: ['/etc/x', ENDS] } })
})

test('expandProfile() lets the configuration change a job, its config key by key', () => {
  const changed = use({ jobs: { files: { schedule: '@hourly', mode: 'enforce', config: { keep: 5 } } } })
  expect(expandProfile(profile, changed).jobs['service-files']).toMatchObject({
    plugin: 'permission-drift',
    schedule: '@hourly',
    mode: 'enforce',
    config: { keep: 5, rules: [{ owner: 'deploy' }] },
  })
})

const wrong: [name: string, use: object, message: string][] = [
  ['a value is missing', { use: 'service' }, 'it is missing: Account that it runs as'],
  ['a parameter is mistyped', { hme: '/srv' }, 'the profile has no parameter "hme", did you mean "home"?'],
  ['a job is mistyped', { jobs: { file: {} } }, 'the profile has no job "file", did you mean "files"?'],
]
for (const [name, more, message] of wrong) {
  test(`expandProfile() says so when ${name}`, () => {
    expect(
      expandProfile(profile, 'use' in more ? profileUseSchema.parse(more) : use(more)).problems.map(
        (problem) => problem.message,
      ),
    ).toContain(message)
  })
}

test('profileProblems() finds double items and checks of jobs that are not there', () => {
  const items = [...profile.items, { ...profile.items[0], id: 'a', checks: [{ job: 'fils' }] }]
  expect(profileProblems(profileSchema.parse({ ...profile, items }))).toMatchObject([
    { keys: ['items', 2, 'id'], message: 'there are two items "a"' },
    {
      keys: ['items', 2, 'checks', 0, 'job'],
      message: 'the profile has no job "fils", did you mean "files"?',
    },
  ])
})
