import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { daemonDropIn, timerUnits } from '../../agent/units.ts'
import { testWith } from '../kit/needs.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { job } from './engine/kit.ts'

const drift = job({
  name: 'drift',
  mode: 'enforce',
  permissions: {
    check: { list: ['/etc'], capabilities: ['CAP_DAC_READ_SEARCH'] },
    apply: {
      attributes: ['/etc'],
      write: ['/srv/a/*.log', '/srv/b'],
      capabilities: ['CAP_FOWNER', 'CAP_CHOWN'],
    },
  },
})
const lines = (text: string, key: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1))

test('daemonDropIn() opens what the jobs declare, all together and nothing else', () => {
  const backup = job({
    name: 'backup',
    mode: 'enforce',
    permissions: { check: {}, apply: { write: ['/srv/b', '/srv/backup'] } },
  })
  const text = daemonDropIn([drift, backup])
  expect(lines(text, 'AmbientCapabilities')).toEqual(['CAP_CHOWN CAP_DAC_READ_SEARCH CAP_FOWNER'])
  expect(lines(text, 'CapabilityBoundingSet')).toEqual(['CAP_CHOWN CAP_DAC_READ_SEARCH CAP_FOWNER'])
  expect(lines(text, 'ReadWritePaths').filter((path) => path !== '-/etc')).toEqual([
    '-/srv/a',
    '-/srv/b',
    '-/srv/backup',
  ])
})

test('daemonDropIn() allows to change users only where a job declares it', () => {
  const logs = job({
    name: 'logs',
    mode: 'enforce',
    permissions: { check: {}, apply: { capabilities: ['CAP_SETUID', 'CAP_SETGID'] } },
  })
  expect(lines(daemonDropIn([drift, logs]), 'SystemCallFilter')).toEqual(['@setuid'])
  expect(lines(daemonDropIn([drift]), 'SystemCallFilter')).toEqual([])
})

test('daemonDropIn() lets reeve itself look at processes where a job asks what they execute', () => {
  const looks = job({ name: 'looks', permissions: { check: { processes: ['files'] } } })
  expect(lines(daemonDropIn([looks]), 'AmbientCapabilities')).toEqual(['CAP_DAC_READ_SEARCH CAP_SYS_PTRACE'])
})

for (const [name, more] of [
  ['only observes', { mode: 'observe' as const }],
  ['is disabled', { enabled: false }],
  ['may not run', { refused: 'no' }],
] as const) {
  test(`daemonDropIn() opens nothing for a job that ${name}`, () => {
    const text = daemonDropIn([{ ...drift, ...more }])
    expect(lines(text, 'AmbientCapabilities')).toEqual(['CAP_DAC_READ_SEARCH'])
    expect(lines(text, 'ReadWritePaths')).toEqual([])
  })
}

test('daemonDropIn() writes paths so that systemd reads them as they are', () => {
  const write = ['/srv/two words', '/srv/100%', '/srv/quo"te', '/srv/back\\slash']
  const text = daemonDropIn([job({ mode: 'enforce', permissions: { check: {}, apply: { write } } })])
  expect(lines(text, 'ReadWritePaths').toSorted()).toEqual(
    ['-/srv/100%%', '-/srv/back\\x5cslash', '-/srv/quo\\x22te', '-/srv/two\\x20words'].toSorted(),
  )
})

test('timerUnits() gives a service and a timer to each job with a schedule', () => {
  const jobs = [
    drift,
    job({ name: 'manual', schedule: null }),
    job({ name: 'disabled', enabled: false }),
    job({ name: 'refused', refused: 'no' }),
    job({
      name: 'watch',
      schedule: '0 3 1 * 1',
      timezone: 'Europe/Vienna',
      jitterMs: 90_000,
      catchUp: false,
      timeoutMs: 90_500,
    }),
  ]
  const units = new Map(timerUnits(jobs, '/opt/reeve').map(({ name, content }) => [name, content]))
  expect([...units.keys()]).toEqual([
    'reeve-drift.service',
    'reeve-drift.timer',
    'reeve-watch.service',
    'reeve-watch.timer',
  ])
  const timer = units.get('reeve-watch.timer') ?? ''
  expect(lines(timer, 'OnCalendar')).toEqual([
    '*-*-01 03:00:00 Europe/Vienna',
    'Mon *-*-* 03:00:00 Europe/Vienna',
  ])
  expect([lines(timer, 'RandomizedDelaySec'), lines(timer, 'Persistent')]).toEqual([['90'], ['no']])
  const service = units.get('reeve-watch.service') ?? ''
  expect(lines(service, 'ExecStart')).toEqual(['/opt/reeve run --timer watch'])
  expect(lines(service, 'Type')).toEqual(['oneshot'])
  expect(lines(service, 'TimeoutStartSec')).toEqual(['151'])
  // Each job has just its own power, under the same roof as the daemon.
  expect(lines(service, 'CapabilityBoundingSet')).toEqual(['CAP_DAC_READ_SEARCH'])
  expect(lines(units.get('reeve-drift.service') ?? '', 'CapabilityBoundingSet')).toEqual([
    'CAP_CHOWN CAP_DAC_READ_SEARCH CAP_FOWNER',
  ])
  for (const key of ['NoNewPrivileges', 'ProtectSystem', 'SystemCallFilter', 'User', 'StateDirectory']) {
    expect([key, lines(service, key).length > 0]).toEqual([key, true])
  }
  for (const key of ['WatchdogSec', 'Restart', 'NotifyAccess', 'ExecReload', 'WantedBy']) {
    expect([key, lines(service, key)]).toEqual([key, []])
  }
})

testWith({ programs: ['systemd-analyze'] })('systemd itself has nothing to say against the units', () => {
  using directory = temporaryDirectory()
  const write = (name: string, text: string) => {
    mkdirSync(join(directory.path, name, '..'), { recursive: true })
    writeFileSync(join(directory.path, name), text)
    return join(directory.path, name)
  }
  const units = timerUnits(
    [
      drift,
      job({
        name: 'odd',
        permissions: { check: {}, apply: { write: ['/srv/two words %'] } },
        mode: 'enforce',
      }),
    ],
    '/bin/true',
  ).map(({ name, content }) => write(name, content))
  write('reeve.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n')
  write('reeve.service.d/10-jobs.conf', daemonDropIn([drift]))
  for (const unit of [...units, join(directory.path, 'reeve.service')]) {
    const { exitCode, stdout, stderr } = Bun.spawnSync(['systemd-analyze', 'verify', '--man=no', unit], {
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${directory.path}:`, LC_ALL: 'C' },
    })
    const told = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(directory.path))
    expect([unit, exitCode, told]).toEqual([unit, 0, []])
  }
})
