import { afterAll, expect, setDefaultTimeout } from 'bun:test'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Report } from '../../agent/contract/mod.ts'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import plugin from '../../plugins/processes/plugin.ts'
import { testWith } from '../kit/needs.ts'
import { runPhase } from '../kit/phase.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { waitUntil } from '../kit/wait.ts'

// Real processes, seen from within the real jail.

setDefaultTimeout(60_000)

const jail = landlockAbi() < 3 ? 'needs Landlock' : undefined
const live = testWith({ root: true, programs: ['setpriv'], reason: jail })
const abroad = testWith({ root: true, programs: ['setpriv', 'redis-server'], reason: jail })
const browsing = testWith({ root: true, programs: ['chromium'], reason: jail })

const NOBODY = ['setpriv', '--reuid=65534', '--clear-groups']
const isReadable = () =>
  Bun.which('setpriv') && Bun.spawnSync([...NOBODY, 'test', '-r', import.meta.path]).exitCode === 0
const ordinary = testWith({
  root: true,
  programs: ['setpriv'],
  reason: jail ?? (isReadable() ? undefined : 'the checkout lies where another user cannot read it'),
})

const children: Bun.Subprocess[] = []
// Not below /tmp: libraries there come and go.
const place = process.getuid?.() === 0 ? mkdtempSync('/var/lib/reeve-test-') : temporaryDirectory().path
chmodSync(place, 0o755)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.map((child) => child.exited))
  rmSync(place, { recursive: true })
})

async function look(config: object, wrap?: string[]): Promise<Report> {
  using state = temporaryDirectory()
  if (wrap) chownSync(state.path, 65_534, 65_534)
  const parsed = plugin.config.parse(config)
  const { report, failure, sandbox } = await runPhase({
    plugin: 'processes',
    kind: 'check',
    config,
    permissions: plugin.permissions(parsed).check,
    stateDir: state.path,
    ...(wrap && { wrap }),
  })
  if (!report) throw new Error(failure)
  expect(sandbox).toStartWith('landlock-')
  return report
}

/** A program of its own name that sleeps. */
function copyOf(source: string, name: string): string {
  const path = join(place, name)
  copyFileSync(source, path)
  chmodSync(path, 0o755)
  return path
}

async function start(command: string[], env: Record<string, string> = {}): Promise<number> {
  const child = Bun.spawn(command, {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
    env: { ...process.env, ...env },
  })
  children.push(child)
  return child.pid
}

/** What was found about files of this test, whatever else this machine runs. */
const about = ({ findings }: Report, path: string) =>
  findings.filter(({ evidence }) => String(evidence?.files).includes(path)).map(({ rule }) => rule)

const isUp = (pid: number, program: string) => () => {
  const { stdout } = Bun.spawnSync(['readlink', `/proc/${pid}/exe`])
  return stdout.toString().startsWith(program)
}

live('a program and a library that are replaced or removed while they are in use are found', async () => {
  const program = copyOf('/bin/sleep', 'app')
  const library = copyOf(realpathSync('/lib/x86_64-linux-gnu/libm.so.6'), 'libown.so.6')
  const pid = await start([program, '600'], { LD_PRELOAD: library })
  await waitUntil('the program runs', 5000, isUp(pid, program))
  expect(about(await look({}), place)).toEqual([])

  renameSync(copyOf('/bin/sleep', 'app.new'), program)
  expect(about(await look({}), program)).toEqual(['program-replaced'])
  renameSync(copyOf(realpathSync('/lib/x86_64-linux-gnu/libm.so.6'), 'new'), library)
  expect(about(await look({}), library)).toEqual(['library-replaced'])
  expect(about(await look({ ignoreReplaced: [`${place}/*`] }), place)).toEqual([])

  unlinkSync(program)
  const removed = await look({})
  expect(about(removed, program)).toEqual(['program-removed'])
  expect(removed.findings.find(({ rule }) => rule === 'program-removed')?.evidence?.processes).toContain(
    String(pid),
  )
})

live(
  'users, capabilities, core limit, no_new_privs and filter of a process are seen as they are',
  async () => {
    const program = copyOf('/bin/sleep', 'guarded')
    const demands = {
      name: 'guarded',
      program,
      user: 'nobody',
      capabilities: [],
      coreDumps: false,
      noNewPrivileges: true,
    }
    const wrong = ['sh', '-c', 'ulimit -S -c unlimited 2>/dev/null || ulimit -S -c 1; exec "$@"', 'sh']
    await start([...wrong, program, '600'])
    await waitUntil('it runs', 5000, isUp(children.at(-1)?.pid ?? 0, program))
    const rules = async (more: object = {}) =>
      (await look({ processes: [{ ...demands, ...more }] })).findings
        .filter(({ rule }) => rule.startsWith('process-'))
        .map(({ rule }) => rule)
        .toSorted()
    expect(await rules()).toEqual([
      'process-capabilities',
      'process-core-dumps',
      'process-unconfined',
      'process-user',
    ])
    const right = [
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
      '--no-new-privs',
      '--bounding-set=-all',
      '--inh-caps=-all',
    ]
    const pid = await start([
      'sh',
      '-c',
      'ulimit -c 0; exec "$@"',
      'sh',
      ...right,
      copyOf('/bin/sleep', 'held'),
      '600',
    ])
    await waitUntil('it runs', 5000, isUp(pid, join(place, 'held')))
    expect(await rules({ program: join(place, 'held') })).toEqual([])
    expect(await rules({ program: join(place, 'held'), seccomp: true })).toEqual(['process-unconfined'])
    expect(await rules({ program: join(place, 'held'), user: '*' })).toEqual([])
    expect(await rules({ program: join(place, 'none') })).toEqual(['process-missing'])
  },
)

abroad('a server of root that listens is found with its port', async () => {
  const port = await freePort()
  const pid = await start([
    'redis-server',
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    place,
  ])
  const answers = async () =>
    (await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } }).then(
      (socket) => socket.end(),
      () => false,
    )) !== false
  await waitUntil('redis answers', 10_000, answers)
  const found = await look({ rootListeners: 'finding' })
  const finding = found.findings.find(({ evidence }) =>
    String(evidence?.ports).split(', ').includes(String(port)),
  )
  expect(finding).toMatchObject({ rule: 'root-listener', evidence: { processes: String(pid) } })
  const allowed = await look({
    rootListeners: 'finding',
    allowRootListeners: ['/usr/bin/redis*', '*.service', '*.scope'],
  })
  expect(allowed.findings.filter(({ evidence }) => String(evidence?.ports).includes(String(port)))).toEqual(
    [],
  )
  expect((await look({})).findings.filter(({ rule }) => rule === 'root-listener')).toEqual([])
})

browsing('a browser of root without its sandbox is found', async () => {
  const pid = await start([
    'chromium',
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    `--user-data-dir=${place}/profile`,
    '--remote-debugging-port=0',
    'about:blank',
  ])
  const find = async () =>
    (await look({})).findings.find(
      ({ rule, evidence }) =>
        rule === 'browser-unsandboxed' && String(evidence?.processes).includes(String(pid)),
    )
  let finding: Awaited<ReturnType<typeof find>>
  await waitUntil('the browser runs', 20_000, async () => {
    finding = await find()
    return finding !== undefined
  })
  expect(finding?.summary).toMatch(/as root and without its sandbox/)
  expect(
    (await look({ browsers: false })).findings.filter(({ rule }) => rule === 'browser-unsandboxed'),
  ).toEqual([])
})

ordinary('an ordinary user is told what stays unseen, and nothing is taken for good', async () => {
  const { blind, findings } = await look({ processes: [{ name: 'init', program: '/nowhere' }] }, NOBODY)
  expect(blind).toMatchObject([
    {
      subject: 'processes',
      rules: ['program-replaced', 'library-replaced', 'program-removed', 'root-listener'],
    },
  ])
  expect(blind?.[0]?.reason).toContain('CAP_SYS_PTRACE')
  expect(findings.map(({ rule }) => rule)).toContain('process-missing')
})

ordinary('where /proc hides the processes of others, that is blind', async () => {
  const hide =
    'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
  const { blind } = await look({}, [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-ec',
    hide,
    'sh',
  ])
  expect(blind).toMatchObject([{ subject: '/proc' }])
  expect(blind?.[0]?.rules).toBeUndefined()
})

live('processes that come and go meanwhile are no error', async () => {
  const churn = Bun.spawn(['sh', '-c', 'while :; do /bin/true; done'], { stdout: 'ignore', stderr: 'ignore' })
  children.push(churn)
  for (let round = 0; round < 3; round++) {
    const { blind } = await look({
      mayBeHidden: ['*'],
      processes: [{ name: 'any', command: 'true', missing: 'ok' }],
    })
    expect(blind).toEqual([])
  }
  churn.kill('SIGKILL')
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
