import { expect, test } from 'bun:test'
import type { ProcessSurvey } from '../../../agent/contract/mod.ts'
import { configSchema, type ProcessDemands } from '../../../plugins/processes/config.ts'
import { isBrowser, judgeBrowsers } from '../../../plugins/processes/judge/browser.ts'
import { judgeDemands, type Seen } from '../../../plugins/processes/judge/demands.ts'
import { judgeReplaced } from '../../../plugins/processes/judge/replaced.ts'
import { judgeRootListeners } from '../../../plugins/processes/judge/root-listeners.ts'
import { restartOf } from '../../../plugins/processes/whereabouts.ts'

const SERVICE = { title: 'app.service', unit: 'app.service', owner: undefined }

function replaced(survey: Partial<ProcessSurvey>, ignored: string[] = []) {
  const whole = {
    programs: {},
    replaced: {},
    removed: {},
    listeners: {},
    hidden: [],
    isCut: false,
    ...survey,
  }
  return judgeReplaced(whole, () => SERVICE, ignored).map(({ rule, subject }) => `${rule} ${subject}`)
}

test.each([
  [
    { programs: { '/usr/bin/app': [7] }, replaced: { '/usr/bin/app': [7] } },
    ['program-replaced app.service'],
  ],
  [{ programs: { '/usr/bin/app': [7] }, removed: { '/usr/bin/app': [7] } }, ['program-removed app.service']],
  [{ programs: { '/tmp/x': [7] }, removed: { '/tmp/x': [7] } }, ['program-removed app.service']],
  [{ removed: { '/usr/lib/libssl.so.3.0.1': [7] } }, ['library-replaced app.service']],
  [{ replaced: { '/opt/app/addon.node': [7] } }, ['library-replaced app.service']],
  // What programs make as they work.
  [{ removed: { '/tmp/jna123.so': [7], '/dev/shm/x.so': [7], '/memfd:ffi': [7], '/run/x.so': [7] } }, []],
  [{ removed: { '/var/lib/app/cache.bin': [7], '/SYSV00000000': [7] } }, []],
  [
    {
      programs: { '/memfd:runc_cloned:/proc/self/exe': [7] },
      removed: { '/memfd:runc_cloned:/proc/self/exe': [7] },
    },
    [],
  ],
])('judgeReplaced() of %j', (survey, expected) => {
  expect(replaced(survey as Partial<ProcessSurvey>)).toEqual(expected)
})

test('judgeReplaced() is silent about what may be replaced', () => {
  const survey = { programs: { '/opt/app/bin': [7] }, replaced: { '/opt/app/bin': [7] } }
  expect(replaced(survey, ['/opt/**'])).toEqual([])
})

test('judgeReplaced() has one finding for all processes and files of a unit', () => {
  const survey = { removed: { '/usr/lib/a.so.1': [7, 8], '/usr/lib/b.so.1': [8] } }
  const whole = { programs: {}, replaced: {}, listeners: {}, hidden: [], isCut: false, ...survey }
  expect(judgeReplaced(whole, () => SERVICE, [])).toMatchObject([
    {
      remedy: "systemctl restart 'app.service'",
      evidence: { files: '/usr/lib/a.so.1, /usr/lib/b.so.1', processes: '7, 8' },
    },
  ])
})

test.each([
  [{ unit: 'ssh.service', owner: undefined }, "systemctl restart 'ssh.service'"],
  [
    { unit: 'app.service', owner: 'deploy' },
    "systemctl --user --machine='deploy@.host' restart 'app.service'",
  ],
  [{ unit: 'init.scope', owner: undefined }, 'systemctl daemon-reexec'],
  [{ unit: 'dbus.service', owner: undefined }, 'systemctl reboot'],
  [{ unit: 'session-4.scope', owner: undefined }, "loginctl terminate-session '4'"],
  [{ unit: `docker-${'ab'.repeat(32)}.scope`, owner: undefined }, 'docker restart abababababab'],
  [{ unit: undefined, owner: undefined }, 'kill 7'],
])('restartOf() %j begins with %s', (place, command) => {
  expect(restartOf(place, [7]).split('\n')[0]).toBe(command)
})

function seen(change: Partial<Seen['status']> = {}, more: Partial<Seen> = {}): Seen {
  return {
    pid: 7,
    status: {
      name: 'app',
      uids: [5, 5, 5, 5],
      capabilities: [],
      noNewPrivileges: true,
      seccomp: 2,
      ...change,
    },
    coreLimit: '0',
    place: SERVICE,
    users: ['app', 'app', 'app', 'app'],
    ...more,
  }
}

const STRICT: ProcessDemands = configSchema.parse({
  processes: [
    {
      name: 'app',
      unit: 'app.service',
      user: 'app',
      capabilities: ['CAP_NET_BIND_SERVICE'],
      coreDumps: false,
      noNewPrivileges: true,
      seccomp: true,
    },
  ],
}).processes[0] as ProcessDemands

test.each<[string, Seen[], string[]]>([
  ['is as wanted', [seen()], []],
  ['has what it may', [seen({ capabilities: ['CAP_NET_BIND_SERVICE'] })], []],
  ['does not run', [], ['process-missing app']],
  [
    'has root as its saved user',
    [seen({ uids: [5, 5, 0, 5] }, { users: ['app', 'app', 'root', 'app'] })],
    ['process-user app'],
  ],
  ['has more than it may', [seen({ capabilities: ['CAP_SYS_ADMIN'] })], ['process-capabilities app']],
  ['may dump', [seen({}, { coreLimit: 'unlimited' })], ['process-core-dumps app']],
  ['may gain rights', [seen({ noNewPrivileges: false })], ['process-unconfined app noNewPrivileges']],
  ['has no filter', [seen({ seccomp: 0 })], ['process-unconfined app seccomp']],
  ['is wrong in one of two', [seen(), seen({ seccomp: 0 })], ['process-unconfined app seccomp']],
])('judgeDemands() of a process that %s', (_, processes, expected) => {
  expect(judgeDemands(STRICT, processes).map(({ rule, subject }) => `${rule} ${subject}`)).toEqual(expected)
})

test('judgeDemands() is critical about root, and silent about another user where any will do', () => {
  const any = { ...STRICT, user: '*' }
  const root = seen({ uids: [0, 0, 0, 0] }, { users: ['root', 'root', 'root', 'root'] })
  expect(judgeDemands(any, [root])).toMatchObject([{ rule: 'process-user', severity: 'critical' }])
  expect(judgeDemands(any, [seen({}, { users: ['b', 'b', 'b', 'b'] })])).toEqual([])
})

const chromium = {
  pid: 7,
  program: '/usr/lib/chromium/chromium',
  arguments: ['/usr/lib/chromium/chromium', '--headless'],
  user: 'web',
  isRoot: false,
  unit: undefined,
}

test.each([
  [chromium.arguments, true],
  [['/usr/lib/chromium/chromium', '--type=renderer'], false],
  [['/usr/lib/chromium/chromium --type=zygote --no-zygote-sandbox'], false],
])('isBrowser() of %j is %p', (words, expected) => {
  expect(isBrowser({ ...chromium, arguments: words })).toBe(expected)
})

test('judgeBrowsers() finds one without its sandbox and one of root, and no other', () => {
  expect(judgeBrowsers([chromium])).toEqual([])
  expect(judgeBrowsers([{ ...chromium, arguments: ['chromium', '--no-sandbox'] }])).toMatchObject([
    { rule: 'browser-unsandboxed', subject: '/usr/lib/chromium/chromium (web)' },
  ])
  expect(judgeBrowsers([{ ...chromium, isRoot: true, user: 'root' }])).toHaveLength(1)
  expect(isBrowser({ program: '/usr/bin/firefox', arguments: ['firefox', '--no-sandbox'] })).toBe(false)
})

test('judgeRootListeners() has one finding for a unit, and none for those that may', () => {
  const listener = { pid: 7, port: 80, program: '/usr/bin/app', place: SERVICE }
  const both = [listener, { ...listener, pid: 8, port: 443 }]
  expect(judgeRootListeners(both, ['ssh.service'])).toMatchObject([
    { subject: 'app.service', evidence: { ports: '80, 443', processes: '7, 8' } },
  ])
  expect(judgeRootListeners(both, ['app.service'])).toEqual([])
  expect(judgeRootListeners(both, ['/usr/bin/*'])).toEqual([])
})
