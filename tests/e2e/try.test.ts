import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { releaseArchive } from '../kit/binary.ts'
import { temporaryDirectory } from '../kit/plugin.ts'
import { waitUntil } from '../kit/wait.ts'

// install.sh --try as somebody without root uses it: out of an unpacked release, in a temporary directory of its own.

setDefaultTimeout(120_000)

const ANSWER_TIMEOUT_MS = 60_000
const work = temporaryDirectory('reeve-trial')
const release = join(work.path, 'release')
const temporary = join(work.path, 'tmp')
const keyrings = join(work.path, 'gnupg')
const trials: Bun.Subprocess[] = []

beforeAll(() => {
  mkdirSync(release)
  mkdirSync(temporary)
  mkdirSync(keyrings, { mode: 0o700 })
  if (AS_VISITOR.length > 0) chownSync(keyrings, 65534, 65534)
  Bun.spawnSync(['tar', '-xzf', releaseArchive(), '--strip-components=1', '-C', release])
  chmodSync(work.path, 0o755)
  chmodSync(temporary, 0o1777)
})
afterAll(async () => {
  // Those of a test that broke off.
  for (const trial of trials) trial.kill('SIGTERM')
  await Promise.all(trials.map((trial) => trial.exited))
  work[Symbol.dispose]()
})

/** An ordinary user where these tests run as root. */
const AS_VISITOR =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []

function startTrial(...args: string[]) {
  const trial = Bun.spawn([...AS_VISITOR, join(release, 'install.sh'), '--try', ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', HOME: temporary, TMPDIR: temporary, LANG: 'C' },
  })
  trials.push(trial)
  return trial
}

/** Processes whose executable is the unpacked binary. */
function running(): string {
  return Bun.spawnSync(['pgrep', '-f', join(release, 'reeve')]).stdout.toString()
}

test('install.sh --try --once runs every job for real, shows what came of it and leaves nothing', async () => {
  const trial = startTrial('--once')
  const [output, errors, exitCode] = await Promise.all([
    trial.stdout.text(),
    trial.stderr.text(),
    trial.exited,
  ])
  // Without root there are places that it cannot see, and it says so: 4. Findings are 3.
  expect({ output, errors, exitCode: [0, 3, 4].includes(exitCode) }).toMatchObject({
    errors: '',
    exitCode: true,
  })
  expect(output).toMatch(/^permissions +(clean|findings|blind) +\d/m)
  for (const job of ['credentials', 'logs', 'backup', 'disk']) {
    expect(output).toMatch(new RegExp(`^${job} +(clean|findings) +\\d`, 'm'))
  }
  expect(readdirSync(temporary)).toEqual([])
  expect(running()).toBe('')
})

/** Runs a command that the trial shows, in a terminal beside it, and returns what that prints. */
async function shown(title: string, output: string): Promise<string> {
  const command = new RegExp(`^${title}.*:\\n  (.*)$`, 'm').exec(output)?.[1] ?? 'false'
  const child = Bun.spawn([...AS_VISITOR, 'sh', '-c', command], {
    env: { ...process.env, GNUPGHOME: keyrings },
    stderr: 'pipe',
  })
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return text === '' ? errors : text
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`install.sh --try serves the API and the page until ${signal}, then leaves nothing`, async () => {
    const trial = startTrial()
    let output = ''
    const reading = (async () => {
      for await (const chunk of trial.stdout.pipeThrough(new TextDecoderStream())) output += chunk
    })()
    const address = () => /^ {2}(http:\/\/127\.0\.0\.1:\d+)\/$/m.exec(output)?.[1]
    await waitUntil('the address is shown', ANSWER_TIMEOUT_MS, () => {
      if (trial.exitCode !== null) throw new Error(`the trial ended with ${trial.exitCode}:\n${output}`)
      return address() !== undefined && output.includes('Ctrl-C')
    })

    const status = await fetch(`${address()}/v1/status`)
    expect(status.status).toBe(200)
    expect(await status.json()).toMatchObject({ jobs: expect.any(Object) })
    const token = /token (reeve_[0-9a-f]{64}):/.exec(output)?.[1]
    const findings = await fetch(`${address()}/v1/findings`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    expect(findings.status).toBe(200)
    expect((await fetch(`${address()}/v1/findings`)).status).toBe(401)
    expect(await (await fetch(`${address()}/`)).text()).toContain('<html')

    expect(await shown('The backup', output)).toContain('state/reeve.db')
    expect(await shown('The command line', output)).toMatch(/^backup +ok/m)

    trial.kill(signal)
    await trial.exited
    await reading
    expect(readdirSync(temporary)).toEqual([])
    expect(running()).toBe('')
    await expect(fetch(`${address()}/healthz`)).rejects.toThrow()
  })
}

test('install.sh --try takes another port when 7338 is taken', async () => {
  let holder: Bun.Server<undefined> | undefined
  try {
    holder = Bun.serve({ hostname: '127.0.0.1', port: 7338, fetch: () => new Response('somebody else') })
  } catch {
    // Somebody else holds it already: just as good.
  }
  try {
    const trial = startTrial()
    let output = ''
    for await (const chunk of trial.stdout.pipeThrough(new TextDecoderStream())) {
      output += chunk
      if (output.includes('Ctrl-C')) break
    }
    const port = /http:\/\/127\.0\.0\.1:(\d+)\/\n/.exec(output)?.[1]
    expect(port).toMatch(/^\d+$/)
    expect(port).not.toBe('7338')
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    trial.kill('SIGTERM')
    await trial.exited
  } finally {
    await holder?.stop(true)
  }
  expect(existsSync(temporary) && readdirSync(temporary)).toEqual([])
})
