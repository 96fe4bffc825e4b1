import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { configSchema, directoryOf, listBaseOf } from '../../../plugins/log-rotation/config.ts'
import plugin from '../../../plugins/log-rotation/plugin.ts'

const set = { name: 'app', paths: ['/var/log/app.log'], size: '1M' }
const problems = (input: unknown) =>
  configSchema.safeParse(input).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ??
  []

test('the sample is a valid job', () => {
  const sample = parse(readFileSync('plugins/log-rotation/sample.yaml', 'utf8'))
  for (const job of Object.values<{ plugin: string; config: unknown }>(sample)) {
    expect(job.plugin).toBe(plugin.name)
    expect(problems(job.config)).toEqual([])
  }
})

test.each([
  [{ ...set, size: undefined }, 'at least one of interval and size'],
  [{ ...set, interval: 'fortnightly' }, 'sets.0.interval'],
  [{ ...set, keep: 0 }, 'sets.0.keep'],
  [{ ...set, paths: ['var/log/app.log'] }, 'sets.0.paths.0'],
  [{ ...set, paths: ['/var/log/../app.log'] }, 'sets.0.paths.0'],
  [{ ...set, afterRotate: ['systemctl'] }, 'sets.0.afterRotate.0'],
  [{ ...set, afterRotate: 'systemctl reload app' }, 'sets.0.afterRotate'],
  [{ ...set, method: 'copytruncate', mode: '0640' }, 'copytruncate keeps the log itself'],
  [{ ...set, rotate: 4 }, 'rotate'],
])('a wrong set is refused: %p', (wrong, expected) => {
  expect(problems({ sets: [wrong] }).join('\n')).toContain(expected)
})

test('two sets of one name and an unknown time zone are refused', () => {
  expect(problems({ sets: [set, set] }).join()).toContain('two sets have the same name')
  expect(problems({ sets: [set], timezone: 'Europe/Vindobona' }).join()).toContain('timezone')
  expect(problems({ sets: [set], timezone: 'Europe/Vienna' })).toEqual([])
})

test.each([
  ['/var/log/app.log', '/var/log', '/var/log'],
  ['/app.log', '/', '/'],
  ['/var/log/*.log', '/var/log', '/var/log'],
  ['/home/*/logs/*.log', '/home/*/logs', '/home'],
  ['/srv/**/*.log', '/srv', '/srv'],
  ['/srv/{a,b}/x.log', '/srv/{a,b}', '/srv'],
])('directoryOf() and listBaseOf() of %s', (pattern, directory, base) => {
  expect(directoryOf(pattern)).toBe(directory)
  expect(listBaseOf(pattern)).toBe(base)
})

test('permissions() lets check only look, and apply run only what is declared', () => {
  const { check, apply } = plugin.permissions(
    configSchema.parse({
      sets: [
        {
          ...set,
          afterRotate: ['/bin/kill', '-HUP', '1'],
          afterRotatePermissions: { capabilities: ['CAP_KILL'], net: ['unix:/run/x'], env: ['TERM'] },
        },
        { name: 'two', paths: ['/home/*/l/*.log', '/var/log/b.log'], interval: '1h' },
      ],
    }),
  )
  expect(check).toEqual({ list: ['/var/log', '/home'], capabilities: ['CAP_DAC_READ_SEARCH'] })
  expect(apply).toMatchObject({
    write: ['/var/log', '/home/*/l'],
    run: [['/bin/kill', '-HUP', '1']],
    net: ['unix:/run/x'],
    env: ['TERM'],
  })
  expect(apply?.capabilities).toContain('CAP_KILL')
})
