import { afterAll, beforeAll, expect, setDefaultTimeout } from 'bun:test'
import { dirname } from 'node:path'
import { z } from 'zod'
import { reeveBinary } from '../kit/binary.ts'
import { testWith } from '../kit/needs.ts'
import { recordStore } from '../kit/rule-cases-of-store.ts'
import { SystemdHost, whyNoSystemdHost } from '../kit/systemd-host/host.ts'
import { waitUntil } from '../kit/wait.ts'

// Units and processes on a real systemd, judged by the compiled binary in its jail. One host for all tests; each uses
// units of its own.

setDefaultTimeout(120_000)

const reason = whyNoSystemdHost()
const test = testWith({ reason })
const WAIT_MS = 20_000

let host: SystemdHost

beforeAll(async () => {
  if (reason) return
  host = await SystemdHost.boot('units', { mounts: { [dirname(reeveBinary())]: '/mnt' } })
  await shell('useradd --create-home deploy && useradd --system rstmdb')
})
afterAll(() => host?.[Symbol.asyncDispose]())

/** Quick: as root of the host, from outside. */
async function shell(script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await host.peek('sh', '-c', script)
  if (exitCode !== 0) throw new Error(`"${script}" ended with ${exitCode}: ${stdout}${stderr}`)
  return stdout
}

const writeUnit = (name: string, text: string, directory = '/etc/systemd/system') =>
  shell(`mkdir -p ${directory} && cat > ${directory}/${name} <<'END'\n${text}\nEND`)

const findingList = z.array(
  z.looseObject({
    rule: z.string(),
    subject: z.string(),
    remedy: z.string().nullish(),
    evidence: z.record(z.string(), z.unknown()),
  }),
)
const PLUGINS = ['systemd-units', 'processes'] as const
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

/** Runs a job; what a name has found is kept from run to run. */
async function look(
  name: string,
  config: object = {},
  { plugin = 'systemd-units', as = [] }: { plugin?: (typeof PLUGINS)[number]; as?: string[] } = {},
) {
  const directory = `/tmp/look-${name}`
  const settings = JSON.stringify({ stateDir: `${directory}/state`, jobs: { job: { plugin, config } } })
  await shell(
    `mkdir -p -m 700 ${directory} && cat > ${directory}/reeve.yaml <<'END'\n${settings}\nEND\nchmod 600 ${directory}/reeve.yaml; chown -R ${as.length > 0 ? 'nobody' : 'root'} ${directory}`,
  )
  const both = `/mnt/reeve run job --json --config ${directory}/reeve.yaml; echo @@@; /mnt/reeve findings --json --config ${directory}/reeve.yaml`
  const { stdout, stderr } = await host.run(...as, 'sh', '-c', both)
  const [run = '', list = ''] = stdout.split('@@@')
  if (run.trim() === '') throw new Error(stderr)
  await recordStore(host.pathOf(`${directory}/state/reeve.db`))
  return { run, findings: findingList.parse(JSON.parse(list)).filter(({ rule }) => !rule.startsWith('job-')) }
}

const named = (findings: z.output<typeof findingList>) =>
  findings.map(({ rule, subject }) => `${rule} ${subject}`).toSorted()

test('a fresh Debian has nothing to find, for both plugins as they are', async () => {
  for (const plugin of PLUGINS) {
    const { run, findings } = await look(`fresh-${plugin}`, {}, { plugin })
    expect({ findings, run }).toEqual({ findings: [], run: expect.stringContaining('"clean"') })
  }
})

test('an ordinary user sees the same units over the bus, and is blind to the processes of others', async () => {
  expect((await look('nobody', {}, { as: NOBODY })).run).toContain('"clean"')
  const { run } = await look('nobody-processes', {}, { plugin: 'processes', as: NOBODY })
  expect(run).toContain('CAP_SYS_PTRACE')
})

test('the service user with the one capability more sees what all processes run', async () => {
  await shell('mkdir -p /var/lib/service && chown nobody /var/lib/service')
  const settings = { stateDir: '/var/lib/service/state', jobs: { job: { plugin: 'processes' } } }
  await writeUnit('reeve.yaml', JSON.stringify(settings), '/var/lib/service')
  await shell('chown nobody /var/lib/service/reeve.yaml && chmod 600 /var/lib/service/reeve.yaml')
  const run = async (capabilities: string) => {
    const held = ['AmbientCapabilities', 'CapabilityBoundingSet'].map(
      (key) => `--property=${key}=${capabilities}`,
    )
    const unit = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', '--uid=nobody', ...held]
    const argv = ['/mnt/reeve', 'run', 'job', '--json', '--config', '/var/lib/service/reeve.yaml']
    return (await host.peek(...unit, '--property=NoNewPrivileges=yes', ...argv)).stdout
  }
  expect(await run('CAP_DAC_READ_SEARCH')).toContain('"blind"')
  expect(await run('CAP_DAC_READ_SEARCH CAP_SYS_PTRACE')).toContain('"clean"')
})

test('what fails, misses its time or was not loaded is found until it is put right', async () => {
  await writeUnit('fails.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/test -e /etc/may-succeed')
  await writeUnit('edited.service', '[Service]\nExecStart=/usr/bin/sleep infinity')
  const kill = 'ExecReload=/bin/kill -HUP $MAINPID'
  // Linked in from elsewhere.
  await writeUnit('deaf.service', `[Service]\nExecStart=/usr/bin/sleep infinity\n${kill}`, '/opt')
  await shell('systemctl link /opt/deaf.service')
  await writeUnit(
    'hears.service',
    `[Service]\nExecStart=/bin/sh -c 'trap : HUP; touch /run/hears; while :; do sleep 1; done'\n${kill}`,
  )
  const daily = '[Timer]\nOnCalendar=daily\nUnit=task.service\n[Install]\nWantedBy=timers.target'
  await writeUnit('task.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/true')
  await writeUnit('fine.timer', daily)
  await writeUnit('idle.timer', daily)
  await writeUnit('held.timer', `[Unit]\nConditionPathExists=/nowhere\n${daily}`)
  await writeUnit('over.timer', '[Timer]\nOnCalendar=2020-01-01\nUnit=task.service')
  await writeUnit('stuck.timer', '[Timer]\nOnCalendar=*:*:*\nAccuracySec=1ms')
  await writeUnit('stuck.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity')
  await shell('systemctl daemon-reload && systemctl enable fine.timer idle.timer held.timer')
  await shell('systemctl start edited deaf hears over.timer fine.timer held.timer stuck.timer')
  await shell('systemctl start fails || echo "# later" >> /etc/systemd/system/edited.service')
  await waitUntil(
    'the trap is set',
    WAIT_MS,
    async () => (await host.peek('test', '-e', '/run/hears')).exitCode === 0,
  )

  const config = { timerGrace: '1s' }
  const wanted = [
    'daemon-reload-needed edited.service',
    'reload-would-kill deaf.service',
    'timer-missed idle.timer',
    'timer-missed over.timer',
    'timer-missed stuck.timer',
    'unit-failed fails.service',
  ]
  let findings: z.output<typeof findingList> = []
  await waitUntil('the stuck one is late', WAIT_MS, async () => {
    findings = (await look('states', config)).findings
    return findings.length >= wanted.length
  })
  expect(named(findings)).toEqual(wanted)
  expect(findings.find(({ rule }) => rule === 'reload-would-kill')?.evidence).toMatchObject({
    path: '/etc/systemd/system/deaf.service',
    line: 3,
  })
  const ignored = { ...config, ignoreFailed: ['fails.*'], ignoreTimers: ['*'] }
  expect(named((await look('ignored', ignored)).findings)).toEqual(wanted.slice(0, 2))

  const remedies = findings.filter(({ rule }) => rule !== 'timer-missed').map(({ remedy }) => remedy)
  await shell(`touch /etc/may-succeed\n${remedies.join('\n')}`)
  await shell(
    'systemctl stop stuck.timer stuck.service over.timer; systemctl reset-failed stuck.service; systemctl start idle.timer',
  )
  expect(named((await look('states', config)).findings)).toEqual([])
})

const RSTMDB = {
  unit: 'rstmdb.service',
  active: true,
  enabled: true,
  user: 'rstmdb',
  group: 'rstmdb',
  hardening: { writable: ['/var/lib/rstmdb'] },
  exposure: 6,
  coreDumps: false,
  reload: 'impossible',
  files: ['/etc/rstmdb/*'],
}

test('units that are not as they have to be are right once every remedy was carried out', async () => {
  const install = '[Install]\nWantedBy=multi-user.target'
  await shell('mkdir -p /etc/rstmdb /var/lib/rstmdb && echo one > /etc/rstmdb/tokens')
  await writeUnit(
    'rstmdb.service',
    `[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/usr/bin/sleep infinity\nExecReload=/bin/true\nReadWritePaths=/etc /var/lib/rstmdb\n${install}`,
  )
  // A file that is read after one of the name "50-…" must not win.
  await writeUnit('override.conf', '[Service]\nProtectHome=no', '/etc/systemd/system/rstmdb.service.d')
  await writeUnit('broken.service', '[Service]\nType=oneshot')
  await writeUnit('unwanted.service', `[Service]\nExecStart=/usr/bin/sleep infinity\n${install}`)
  await writeUnit('off.service', `[Service]\nExecStart=/usr/bin/sleep infinity\n${install}`)
  await writeUnit(
    'filter.service',
    `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n${install}`,
  )
  await shell('systemctl daemon-reload && systemctl enable --now unwanted && systemctl start rstmdb filter')
  const wishes = [
    RSTMDB,
    { unit: 'unwanted.service', active: false, enabled: false },
    { unit: 'off.service', active: true },
    { unit: 'absent.service', missing: 'ok' },
  ]
  const purposes = [{ name: 'packet filter', anyOf: ['nftables.service', 'filter*'] }]
  const lost = [{ unit: 'nowhere.service' }, { unit: 'ghost@*.service' }, { unit: 'broken.service' }]
  let findings: z.output<typeof findingList> = []
  await waitUntil('the clock went on', WAIT_MS, async () => {
    await shell('echo two > /etc/rstmdb/tokens')
    findings = (await look('wishes', { units: [...wishes, ...lost], purposes })).findings
    return findings.some(({ rule }) => rule === 'change-not-loaded')
  })
  const rest = findings.filter(({ rule }) => rule !== 'unit-hardening')
  expect(named(rest)).toEqual([
    'change-not-loaded rstmdb.service /etc/rstmdb/tokens',
    'purpose-unserved packet filter',
    'unit-broken broken.service',
    'unit-core-dumps rstmdb.service',
    'unit-exposure rstmdb.service',
    'unit-missing ghost@*.service',
    'unit-missing nowhere.service',
    'unit-not-enabled rstmdb.service',
    'unit-not-running off.service',
    'unit-reload rstmdb.service',
    'unit-unwanted unwanted.service',
    'unit-user rstmdb.service',
    'unit-user rstmdb.service group',
  ])
  expect(findings.filter(({ rule }) => rule === 'unit-hardening')).toHaveLength(15)
  expect(findings.find(({ subject }) => subject === 'rstmdb.service ProtectHome')?.evidence).toMatchObject({
    path: '/etc/systemd/system/rstmdb.service.d/override.conf',
    line: 2,
  })
  // How exposed it is comes of the others; what is missing would have to be installed.
  const literal = findings.filter(({ rule }) => !/^unit-(exposure|missing|broken)$/.test(rule))
  // Once for all of them.
  const restart = "systemctl daemon-reload && systemctl restart 'rstmdb.service'"
  const script = literal.map(({ remedy }) => remedy?.replace(restart, '')).join('\n')
  await shell(`${script}\n${restart}`)
  expect(named((await look('wishes', { units: wishes, purposes })).findings)).toEqual([])
})

test('a unit of a user is judged by its files and its control group', async () => {
  // This host has no logind: what PAM would set is set by hand.
  await writeUnit(
    'own.conf',
    '[Service]\nPAMName=\nRuntimeDirectory=user/%i\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i',
    '/etc/systemd/system/user@.service.d',
  )
  const [units, settings] = ['/home/deploy/.config/systemd/user', '/home/deploy/.config/rostr']
  await writeUnit(
    'registration.service',
    '[Service]\nExecStart=/home/deploy/rostr-api infinity\nEnvironmentFile=-%h/.config/rostr/env\n[Install]\nWantedBy=default.target',
    units,
  )
  await shell(
    `mkdir -p ${settings} && echo A=1 > ${settings}/env && cp /usr/bin/sleep /home/deploy/rostr-api`,
  )
  await shell('chown -R deploy: /home/deploy && systemctl daemon-reload')
  const config = { units: [{ command: 'rostr', owner: 'deploy', active: true, enabled: true }] }
  expect(named((await look('user', config)).findings)).toEqual([
    'no-linger deploy',
    'unit-not-enabled deploy: registration.service',
    'unit-not-running deploy: registration.service',
  ])
  await shell(
    `mkdir ${units}/default.target.wants && ln -s ../registration.service ${units}/default.target.wants/`,
  )
  await shell(
    'mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/deploy && chown -R deploy: /home/deploy',
  )
  await shell('systemctl start user@$(id -u deploy).service')
  await waitUntil('it runs', WAIT_MS, async () => (await look('user', config)).findings.length === 0)
  // Its environment file is renewed; its process has the old one.
  await waitUntil('the clock went on', WAIT_MS, async () => {
    await shell(`echo A=2 > ${settings}/env`)
    const { findings } = await look('user', config)
    return named(findings).join() === `change-not-loaded deploy: registration.service ${settings}/env`
  })
})

test('a systemctl that is missing, fails, talks nonsense or too much is no good news', async () => {
  const purposes = [{ name: 'log', anyOf: ['systemd-journald.service'] }]
  const real = '/usr/bin/systemctl'
  const instead = async (script: string) => {
    await shell(`mv ${real} ${real}.real`)
    if (script !== '') await writeUnit('systemctl', `#!/bin/sh\n${script}`, '/usr/bin')
    if (script !== '') await shell(`chmod +x ${real}`)
    try {
      return await look('fake', { purposes })
    } finally {
      await shell(`mv ${real}.real ${real}`)
    }
  }
  for (const [script, why] of [
    ['', 'it is not installed'],
    ['echo no bus >&2; exit 1', 'no bus'],
    ['printf "Id=a.service\\nrubbish\\n"', 'Cannot understand'],
    ['exit 0', 'it names no units'],
    ['printf "Id=a.service\\nLoadState=loaded\\nActiveState=active\\n"', 'it is not whole'],
    [`i=0; while [ $i -lt 170000 ]; do echo Id=${'a'.repeat(100)}; i=$((i+1)); done`, 'it says more than'],
  ] as const) {
    const { run, findings } = await instead(script)
    expect({ script, findings, run }).toEqual({ script, findings: [], run: expect.stringContaining(why) })
    expect(run).toContain('"blind"')
  }
  expect((await look('fake', { purposes })).run).toContain('"clean"')
})
