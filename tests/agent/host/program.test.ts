import { describe, expect, test } from 'bun:test'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { allowsArguments, runProgram, startProgram } from '../../../agent/host/program.ts'
import { NotPermittedError } from '../../../agent/lib/errors.ts'

const grants = {
  ...ALL_GRANTS,
  run: [['/bin/sh', '…'], ['/nonexistent/program'], ['/bin/cat']] as [string, ...string[]][],
}
const sh = (script: string, options = {}) => runProgram(grants, ['/bin/sh', '-c', script], options)

describe('allowsArguments()', () => {
  test.each([
    [['a'], ['a'], true],
    [['a'], ['a', 'b'], false],
    [['a', 'b'], ['a'], false],
    [['a', 'b'], ['a', 'c'], false],
    [['a', '…'], ['a'], true],
    [['a', '…'], ['a', 'b', 'c'], true],
    [['a', '-x', '…'], ['a', '-y'], false],
    [['a', '-x', '…'], ['a'], false],
    [['…'], ['anything'], true],
    [[], ['a'], false],
  ])('%p allows %p: %p', (allowed, argv, expected) => {
    expect(allowsArguments(allowed, argv)).toBe(expected)
  })
})

describe('runProgram()', () => {
  test('runProgram() gives exit code and both outputs', async () => {
    expect(await sh('echo out; echo err >&2; exit 3')).toEqual({
      exitCode: 3,
      signal: null,
      timedOut: false,
      stdout: 'out\n',
      stderr: 'err\n',
      truncated: false,
    })
  })

  test('runProgram() refuses what is not declared, and does not start it', async () => {
    expect(runProgram(grants, ['/bin/cat', '/etc/passwd'], {})).rejects.toThrow(
      'Cannot run "/bin/cat /etc/passwd": the job does not declare it (permissions.run)',
    )
  })

  test('runProgram() throws when there is no such program', async () => {
    expect(runProgram(grants, ['/nonexistent/program'], {})).rejects.toThrow('no such program')
  })

  test('runProgram() gives standard input, and none when there is none', async () => {
    expect((await runProgram(grants, ['/bin/cat'], { stdin: 'text' })).stdout).toBe('text')
    expect((await runProgram(grants, ['/bin/cat'], {})).stdout).toBe('')
  })

  test('runProgram() passes on no environment but what is given', async () => {
    process.env.REEVE_TEST_CANARY = 'leak'
    const { stdout } = await sh('env', { env: { GIVEN: 'yes' } })
    delete process.env.REEVE_TEST_CANARY
    expect(stdout).toContain('GIVEN=yes')
    expect(stdout).toContain('PATH=')
    expect(stdout).not.toContain('REEVE_TEST_CANARY')
    expect(stdout).not.toContain('HOME=')
  })

  test('runProgram() ends a program whose time is up', async () => {
    const started = performance.now()
    const result = await sh('echo begun; exec sleep 60', { timeout: 200 })
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', timedOut: true })
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('runProgram() ends a program when the run is aborted, and starts none afterwards', async () => {
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error('stop')), 50)
    expect(await sh('exec sleep 60', { signal: abort.signal })).toMatchObject({
      signal: 'SIGKILL',
      timedOut: false,
    })
    expect(sh('true', { signal: abort.signal })).rejects.toThrow('stop')
  })

  test('runProgram() does not wait for what the program left behind', async () => {
    const started = performance.now()
    const result = await sh('echo done; sleep 60 & echo $!')
    const [, pid] = result.stdout.split('\n')
    process.kill(Number(pid))
    expect(result.exitCode).toBe(0)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('runProgram() keeps the first and the last of a long output', async () => {
    const { stdout, truncated } = await sh('echo begin; head -c 3000000 /dev/zero | tr "\\0" x; echo end', {
      maxBytes: 1000,
    })
    expect(truncated).toBe(true)
    expect(stdout.startsWith('begin\nxxx')).toBe(true)
    expect(stdout.endsWith('xxxend\n')).toBe(true)
    expect(stdout).toContain('[… cut …]')
    expect(stdout.length).toBeLessThan(1100)
  })

  test.each([
    [999, false],
    [1000, false],
    [1001, true],
  ])('runProgram() of %p bytes with maxBytes 1000 is cut: %p', async (bytes, cut) => {
    const { stdout, truncated } = await sh(`head -c ${bytes} /dev/zero | tr "\\0" x`, { maxBytes: 1000 })
    expect(truncated).toBe(cut)
    expect(stdout.replace('\n[… cut …]\n', '')).toBe('x'.repeat(Math.min(bytes, 1000)))
  })
})

const started = (argv: [string, ...string[]], signal?: AbortSignal) =>
  startProgram({ ...ALL_GRANTS, run: [argv] }, argv, { signal })

test('startProgram() passes streams of any size on, both ways', async () => {
  const program = started(['/bin/cat'])
  const chunk = Buffer.alloc(65_536, 'x')
  const feeding = (async () => {
    for (let count = 0; count < 200; count++) await program.write(chunk)
    await program.endInput()
  })()
  let bytes = 0
  for await (const part of program.stdout) bytes += part.length
  await feeding
  expect(bytes).toBe(200 * 65_536)
  expect(await program.ended).toEqual({ exitCode: 0, signal: null, stderr: '' })
})

test('startProgram() tells how a program ended, and what it said about that', async () => {
  const program = started(['/bin/sh', '-c', 'echo no good >&2; exit 3'])
  expect(await program.ended).toEqual({ exitCode: 3, signal: null, stderr: 'no good\n' })
})

test('startProgram() throws when the program has ended', async () => {
  const program = started(['/bin/true'])
  await program.ended
  const feed = async () => {
    for (let count = 0; count < 50; count++) await program.write(Buffer.alloc(65_536))
  }
  await expect(feed()).rejects.toThrow()
})

test('startProgram() kills the program when it is aborted', async () => {
  const abort = new AbortController()
  const program = started(['/bin/cat'], abort.signal)
  abort.abort()
  expect(await program.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
})

test('startProgram() refuses what is not declared', () => {
  expect(() => startProgram(ALL_GRANTS, ['/bin/cat'], {})).toThrow(NotPermittedError)
})
