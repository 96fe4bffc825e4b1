import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, loadConfig } from '../../../agent/config/load.ts'
import { builtInPlugins } from '../../../plugins/index.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const directory = temporaryDirectory()
const path = join(directory.path, 'reeve.yaml')
afterAll(() => directory[Symbol.dispose]())

async function load(text: string) {
  writeFileSync(path, text, { mode: 0o600 })
  return loadConfig(path, builtInPlugins)
}

/** "LINE:COLUMN KEY: MESSAGE" of each problem, in order. */
async function problems(text: string): Promise<string[]> {
  try {
    await load(text)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.slice(path.length + 1))
  }
}

const cases: [name: string, text: string, problems: (string | RegExp)[]][] = [
  ['nothing at all', '', []],
  ['an unknown key', 'stateDri: /x\n', ['1:1: stateDri: unknown key, did you mean "stateDir"?']],
  [
    'an unknown key that is near to none',
    'zzzzzz: 1\n',
    [/^1:1: zzzzzz: unknown key; known are stateDir, api, defaults/],
  ],
  [
    'a deep unknown key',
    'api: { lisen: "127.0.0.1:1" }\n',
    ['1:8: api.lisen: unknown key, did you mean "listen"?'],
  ],
  [
    'an unknown key of a job',
    'jobs:\n  a: { plugin: command, mod: observe, config: { argv: [/bin/true] } }\n',
    ['2:25: jobs.a.mod: unknown key, did you mean "mode"?'],
  ],
  [
    'an unknown key of a plugin',
    'jobs:\n  a:\n    plugin: command\n    config: { argv: [/bin/true], subjekt: x }\n',
    ['4:34: jobs.a.config.subjekt: unknown key, did you mean "subject"?'],
  ],
  ['a wrong type', 'jobs: []\n', [/^1:1: jobs: found an empty list, wanted a map/]],
  [
    'a wrong value',
    'defaults: { sandbox: alway }\n',
    ['1:13: defaults.sandbox: found "alway", wanted one of "always", "auto", "off"; did you mean "always"?'],
  ],
  [
    'a wrong duration',
    'defaults: { timeout: 15 min }\n',
    [/^1:13: defaults\.timeout: found "15 min", wanted a duration such as/],
  ],
  [
    'a wrong time zone',
    'defaults: { timezone: Europe/Wien2 }\n',
    [/^1:13: defaults\.timezone: found "Europe\/Wien2", wanted a time zone/],
  ],
  [
    'a wrong address',
    'api: { listen: localhost }\n',
    [/^1:8: api\.listen: found "localhost", wanted ADDRESS:PORT/],
  ],
  [
    'an address that others can reach',
    'api: { listen: "0.0.0.0:7338" }\n',
    [/^1:8: api\.listen: found "0\.0\.0\.0:7338", which others can reach: that needs `api\.tls`/],
  ],
  ['a relative path', 'stateDir: var/lib\n', [/^1:1: stateDir: found "var\/lib", wanted an absolute path/]],
  ['a path with ".."', 'stateDir: /var/../etc\n', [/^1:1: stateDir: found "\/var\/\.\.\/etc"/]],
  [
    'a wrong name of a job',
    'jobs:\n  Logs: { plugin: command, config: { argv: [/bin/true] } }\n',
    [/^2:3: jobs\.Logs: .*lower-case/],
  ],
  ['a job without a plugin', 'jobs:\n  a: { schedule: "@daily" }\n', [/^2:3: jobs\.a\.plugin: /]],
  [
    'one wrong item where a value or a list may stand',
    'jobs:\n  a: { plugin: credential-age, config: { remindBefore: [30d, 7], credentials: [{ kind: token-file, path: /t }] } }\n',
    ['2:62: jobs.a.config.remindBefore.1: found 7, wanted a duration such as 90d, 15m or 1h30m'],
  ],
  [
    'neither of two kinds of values',
    'api: { socket: true }\n',
    [
      '1:8: api.socket: found true, wanted an absolute path without ".." and without a trailing slash; or false',
    ],
  ],
  [
    'an unknown plugin',
    'jobs:\n  a: { plugin: permision-drift }\n',
    ['2:8: jobs.a.plugin: there is no plugin "permision-drift", did you mean "permission-drift"?'],
  ],
  [
    'an unknown plugin that is near to none',
    'jobs:\n  a: { plugin: xyzxyz }\n',
    [/^2:8: jobs\.a\.plugin: there is no plugin "xyzxyz"; known are permission-drift, /],
  ],
  [
    'a schedule of too few fields',
    'jobs:\n  a: { plugin: command, schedule: "* * *", config: { argv: [/bin/true] } }\n',
    [/^2:25: jobs\.a\.schedule: found "\* \* \*", wanted a cron expression/],
  ],
  [
    'a schedule out of range',
    'jobs:\n  a: { plugin: command, schedule: "61 * * * *", config: { argv: [/bin/true] } }\n',
    [/^2:25: jobs\.a\.schedule: found "61 \* \* \* \*"/],
  ],
  [
    'a schedule that never comes',
    'jobs:\n  a: { plugin: command, schedule: "0 0 31 2 *", config: { argv: [/bin/true] } }\n',
    [/^2:25: jobs\.a\.schedule: found "0 0 31 2 \*"/],
  ],
  [
    'a plugin that only looks, told to act',
    'jobs:\n  a: { plugin: network-exposure, mode: enforce }\n',
    ['2:34: jobs.a.mode: the plugin "network-exposure" only observes'],
  ],
  [
    'a waiver without an owner',
    'waivers:\n  - { rule: x, reason: y, expires: 2027-01-01 }\n',
    [/^2:5: waivers\.0\.owner: /],
  ],
  [
    'a waiver with a wrong day',
    'waivers:\n  - { rule: x, owner: o, reason: y, expires: 2027-13-01 }\n',
    [/^2:37: waivers\.0\.expires: found "2027-13-01"/],
  ],
  [
    'a wrong kind of channel',
    'alerts: { channels: [{ name: a, type: slak, url: "https://example.org/x" }] }\n',
    [/^1:33: alerts\.channels\.0\.type: /],
  ],
  [
    'a channel without its key',
    'alerts: { channels: [{ name: a, type: webhook, url: "https://example.org/x" }] }\n',
    [/^1:22: alerts\.channels\.0\.secret: /],
  ],
]
for (const [name, text, expected] of cases) {
  test(`loadConfig() tells ${expected.length === 0 ? 'nothing' : 'the place'} of ${name}`, async () => {
    const found = await problems(text)
    expect(found).toHaveLength(expected.length)
    for (const [index, wanted] of expected.entries()) {
      if (typeof wanted === 'string') expect(found[index]).toBe(wanted)
      else expect(found[index]).toMatch(wanted)
    }
  })
}

test('loadConfig() tells all problems at once, in the order of the file', async () => {
  const found = await problems(`stateDri: /x
defaults: { timezone: nowhere }
jobs:
  a: { plugin: comand }
  b: { plugin: command, schedul: "@daily", config: { argv: [] } }
waivers: [{ rule: x }]
`)
  const lines = found.map((line) => Number.parseInt(line, 10))
  expect(lines).toEqual(lines.toSorted((a, b) => a - b))
  expect(new Set(lines)).toEqual(new Set([1, 2, 4, 5, 6]))
})

test('loadConfig() shows the value of no setting that may be a secret', async () => {
  const value = 'hunter2-correct-horse'
  for (const text of [
    `alerts: { channels: [{ name: a, type: webhook, url: "https://example.org/", secret: ${value} }] }\n`,
    `alerts: { channels: [{ name: a, type: slack, url: "${value}" }] }\n`,
    `jobs: { a: { plugin: command, config: { argv: [/bin/true], apiKey: { value: ${value} } } } }\n`,
  ]) {
    const found = await problems(text)
    expect(found.length).toBeGreaterThan(0)
    expect(found.join('\n')).not.toContain(value)
  }
})

test('loadConfig() fills in what is not set', async () => {
  const { config, digest, files } = await load(
    'jobs:\n  a: { plugin: command, config: { argv: [/bin/true] } }\n',
  )
  expect(config).toMatchObject({
    api: { listen: '127.0.0.1:7338', socketGroup: 'reeve', hosts: [] },
    defaults: { sandbox: 'always' },
    jobs: { a: { mode: 'observe', enabled: true, catchUp: true, runOnStart: false } },
    retention: { runs: 180 * 86_400_000, findings: 365 * 86_400_000 },
    waivers: [],
  })
  expect(files).toEqual([path])
  expect(digest).toMatch(/^[0-9a-f]{64}$/)
  const again = await load('# a comment\njobs:\n  a: { config: { argv: [/bin/true] }, plugin: command }\n')
  expect(again.config).toEqual(config)
})

test('loadConfig() leaves a plugin that it does not know to the external ones, when there are any', async () => {
  expect(await problems('plugins: { paths: [/srv/plugin.ts] }\njobs: { a: { plugin: mine } }\n')).toEqual([])
})
