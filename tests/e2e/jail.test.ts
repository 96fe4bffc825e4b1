import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import { testWith } from '../kit/needs.ts'
import { Workspace } from '../kit/workspace.ts'

// A hostile external plugin in the compiled binary: the kernel stops what its job does not declare. With
// `sandbox: off` the same attempts go through, so it is the jail that stops them and not the test.

setDefaultTimeout(60_000)

const abi = landlockAbi()
const jailTest = testWith({ reason: abi < 6 ? `needs Landlock ABI 6, this kernel has ${abi}` : undefined })

const REFUSED = ['EACCES', 'EPERM', 'EXDEV']
const source = readFileSync(join(import.meta.dir, 'plugins/hostile.ts'), 'utf8')
const ATTEMPTS = [...source.matchAll(/^ {8}(?:'([^']+)'|(\w+)): \(\) =>/gm)].map(
  ([, quoted, plain]) => quoted ?? plain ?? '',
)
/** Take away what other attempts need. */
const LAST = ['remove', 'rename']
const withoutProgram = ATTEMPTS.filter((name) => !name.startsWith('child: '))
const byProgram = ATTEMPTS.filter((name) => name.startsWith('child: '))

let victim: Bun.Subprocess
let listener: Bun.Server<undefined>
let other: Bun.Server<undefined>

beforeAll(() => {
  victim = Bun.spawn(['sleep', '600'], { env: { CANARY: 'of another process' } })
  listener = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('hello') })
  other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('hello') })
})
afterAll(async () => {
  victim.kill('SIGKILL')
  await Promise.all([listener.stop(true), other.stop(true)])
})

interface Hostile {
  attempts: string[]
  give?: boolean
  ports?: number[]
  programs?: string[]
  sandbox?: 'always' | 'auto' | 'off'
  grant?: Record<string, unknown>
}

/** A host with something worth stealing, and one job of the hostile plugin. */
class HostileHost extends Workspace {
  private readonly unix = Bun.serve({ unix: this.prepare(), fetch: () => new Response('hello') })

  private prepare(): string {
    this.write('own/allowed', 'allowed\n')
    this.write('other/secret', 'a canary nobody may see\n')
    this.write('other/victim', 'precious\n')
    this.write('state/jobs/neighbour/state', 'of another job\n')
    symlinkSync(join(this.path, 'other/secret'), join(this.path, 'own/link'))
    this.write('plugins/hostile.ts', source)
    return join(this.path, 'other/socket')
  }

  async attempt({ sandbox, grant = {}, ...hostile }: Hostile) {
    const own = join(this.path, 'own')
    const place = { own, other: join(this.path, 'other'), pid: victim.pid, port: listener.port }
    this.configure({
      plugins: { paths: [join(this.path, 'plugins/hostile.ts')] },
      ...(sandbox && { defaults: { sandbox } }),
      jobs: {
        intruder: {
          plugin: 'hostile',
          grant: { read: [own], ...grant },
          config: { ...place, ...hostile },
        },
      },
    })
    return this.run('intruder')
  }

  /** How each attempt ended, in the order of trying. */
  async results(): Promise<Record<string, string>> {
    const shape = z.array(z.object({ subject: z.string(), data: z.object({ result: z.string() }) }))
    const facts = shape.parse(JSON.parse((await this.reeve(['facts', '--json'])).stdout))
    return Object.fromEntries(facts.map(({ subject, data }) => [subject, data.result]))
  }

  /** Everything that a hostile job could have changed. */
  tree(): string {
    return Bun.spawnSync(
      ['find', 'own', 'other', 'state/jobs/neighbour', '-printf', '%p %m %U %T@ %s %l\n'],
      {
        cwd: this.path,
      },
    ).stdout.toString()
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.unix.stop(true)
    await super[Symbol.asyncDispose]()
  }
}

jailTest('the kernel refuses a plugin everything that its job does not declare', async () => {
  await using host = new HostileHost()
  const before = host.tree()
  await host.attempt({ attempts: withoutProgram })
  const results = await host.results()
  expect(Object.keys(results).toSorted()).toEqual(withoutProgram.toSorted())
  for (const [name, result] of Object.entries(results)) {
    if (name === 'read through the host layer') expect(result).toStartWith('NotPermittedError')
    else if (name === 'set up io_uring') expect(result).toBe('ENOSYS')
    else expect({ name, result, refused: REFUSED.includes(result) }).toEqual({ name, result, refused: true })
  }
  expect(host.tree()).toBe(before)
})

jailTest('the kernel refuses a program that a plugin may run what the plugin may not do', async () => {
  await using host = new HostileHost()
  const before = host.tree()
  const { outcome } = await host.attempt({
    attempts: byProgram,
    programs: ['/bin/sh'],
    grant: { run: [['/bin/sh', '…']] },
  })
  expect(outcome).toBe('clean')
  const results = await host.results()
  expect(Object.keys(results).toSorted()).toEqual(byProgram.toSorted())
  // The shell sees no name in a directory that it may not list, and says nothing about it.
  expect(results).toMatchObject({ 'child: list': 'exit 1' })
  for (const [name, result] of Object.entries(results)) {
    if (name !== 'child: list') expect([name, REFUSED.includes(result)]).toEqual([name, true])
  }
  expect(host.tree()).toBe(before)
})

test('without the jail every attempt goes through', async () => {
  const order = [...ATTEMPTS.filter((name) => !LAST.includes(name))]
  for (const attempts of [order, ['remove'], ['rename']]) {
    await using host = new HostileHost()
    await host.attempt({
      attempts,
      sandbox: 'off',
      programs: ['/bin/sh'],
      grant: { run: [['/bin/sh', '…']] },
    })
    const results = await host.results()
    expect(Object.keys(results).toSorted()).toEqual(attempts.toSorted())
    for (const [name, result] of Object.entries(results)) {
      // The host layer asks for a declaration even then; a kernel may have io_uring switched off.
      if (name === 'read through the host layer') expect(result).toStartWith('NotPermittedError')
      else if (name === 'set up io_uring') expect(result).not.toBe('ENOSYS')
      else expect({ name, result }).toEqual({ name, result: 'done' })
    }
  }
})

for (const [name, code] of [
  ['read by the thread pool', 'EACCES'],
  ['write a new file', 'EACCES'],
  ['connect by TCP', 'EACCES'],
  ['execute', 'EACCES'],
  ['chmod', 'EPERM'],
  ['signal another process', 'EPERM'],
] as const) {
  jailTest(`a run fails and names the jail when its plugin gives up at "${name}"`, async () => {
    await using host = new HostileHost()
    const result = await host.attempt({ attempts: [name], give: true })
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 4, worst: 'critical' })
    expect(result.reason).toContain(code)
    expect(result.reason).toContain(
      `the jail landlock-${abi}+seccomp allows a run only what its job declares`,
    )
    const findings = await host.reeve(['findings', '--json'])
    expect(JSON.parse(findings.stdout)).toMatchObject([{ rule: 'job-failed', severity: 'critical' }])
  })
}

jailTest('a job may connect to the ports that it declares and to no other', async () => {
  await using host = new HostileHost()
  const ports = [listener.port ?? 0]
  const grant = { net: ports.map((port) => `127.0.0.1:${port}`) }
  const attempts = ['connect by TCP', 'connect by fetch', 'connect to a unix socket']
  await host.attempt({ attempts, ports, grant })
  expect(await host.results()).toEqual({
    'connect by TCP': 'done',
    'connect by fetch': 'done',
    'connect to a unix socket': 'EACCES',
  })

  const elsewhere = [other.port ?? 0]
  const otherGrant = { net: elsewhere.map((port) => `127.0.0.1:${port}`) }
  await host.attempt({ attempts, ports: elsewhere, grant: otherGrant })
  expect(await host.results()).toMatchObject({ 'connect by TCP': 'EACCES' })
})

// --- kernels without Landlock ---------------------------------------------------------------------------------------

const withoutLandlock = [process.execPath, join(import.meta.dir, '../kit/no-landlock-child.ts')]

/** Where a job of the sandbox mode gets to when the kernel has no Landlock. */
async function runWithoutLandlock(sandbox: 'always' | 'auto') {
  await using host = new HostileHost()
  await host.attempt({ attempts: [], sandbox })
  const attempts = ['read by a sync call', 'chmod of what it may read', 'execute', 'connect by TCP']
  const own = join(host.path, 'own')
  const place = { own, other: join(host.path, 'other'), pid: victim.pid, port: listener.port }
  host.configure({
    plugins: { paths: [join(host.path, 'plugins/hostile.ts')] },
    jobs: {
      intruder: { plugin: 'hostile', sandbox, grant: { read: [own] }, config: { ...place, attempts } },
    },
  })
  const result = await host.run('intruder', { wrap: withoutLandlock })
  return {
    result,
    attempts: await host.results(),
    doctor: await host.reeve(['doctor'], { wrap: withoutLandlock }),
  }
}

test('sandbox: always fails a run where the kernel has no Landlock', async () => {
  const { result, attempts, doctor } = await runWithoutLandlock('always')
  expect(result).toMatchObject({ outcome: 'failed', exitCode: 4 })
  expect(result.reason).toContain('this kernel has no Landlock')
  expect(attempts).toEqual({})
  expect(doctor).toMatchObject({ exitCode: 4 })
  expect(doctor.stdout).toContain('this kernel has no Landlock; 1 jobs with "sandbox: always" cannot run')
})

test('sandbox: auto goes on without Landlock, with the filter of system calls alone, and says so', async () => {
  const { result, attempts, doctor } = await runWithoutLandlock('auto')
  expect(result).toMatchObject({ outcome: 'clean', exitCode: 0 })
  expect(attempts).toEqual({
    'read by a sync call': 'done',
    'chmod of what it may read': 'EPERM',
    execute: 'EACCES',
    'connect by TCP': 'EACCES',
  })
  expect(doctor.stdout).toContain('warning  jail: this kernel has no Landlock')
})
