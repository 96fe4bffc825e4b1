import { describeError, type HostWriter } from '../../../agent/contract/mod.ts'

/** A step could not be made; the message holds no value. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}

export interface ProgramContext {
  host: HostWriter
  signal: AbortSignal
}

interface ProgramOptions {
  stdin?: string | undefined
  timeoutMs: number
  /** Values that may be in what it says: they are cut out. */
  secrets: string[]
}

/** Runs a program of a rotation; returns its exit code and what it printed. Throws StepFailed when it has no exit code. */
export async function runStep(
  { host, signal }: ProgramContext,
  argv: [string, ...string[]],
  { stdin, timeoutMs, secrets }: ProgramOptions,
): Promise<{ exitCode: number; stdout: string; said: string }> {
  try {
    const result = await host.run(argv, { stdin, timeout: timeoutMs, signal, maxBytes: 65_536 })
    if (result.timedOut) throw new StepFailed(`${argv[0]} did not end within ${timeoutMs / 1000} s`)
    if (result.exitCode === null) throw new StepFailed(`${argv[0]} was ended by ${result.signal}`)
    return { exitCode: result.exitCode, stdout: result.stdout, said: lastWords(result.stderr, secrets) }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof StepFailed) throw error
    throw new StepFailed(describeError(error))
  }
}

/** Throws StepFailed unless it ends with 0. */
export async function mustRun(
  context: ProgramContext,
  argv: [string, ...string[]],
  options: ProgramOptions,
): Promise<string> {
  const { exitCode, stdout, said } = await runStep(context, argv, options)
  if (exitCode !== 0) throw new StepFailed(`${argv[0]} ended with ${exitCode}${said ? `: ${said}` : ''}`)
  return stdout
}

/** The end of what a program complained of, as one line and without any of the values. */
function lastWords(text: string, secrets: string[]): string {
  const clean = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ])
    .reduce((rest, form) => rest.replaceAll(form, '[redacted]'), text)
  return clean
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(-200)
}
