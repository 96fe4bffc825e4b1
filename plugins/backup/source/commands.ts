import { type HostReader, shellWord, UserError } from '../../../agent/contract/mod.ts'
import type { CommandConfig } from './config.ts'

const STDERR_LINES = 3

/** Runs a program that belongs to a backup. Throws when it fails. */
export async function runCommand(
  host: HostReader,
  { command, secrets, timeout }: CommandConfig,
  secret: (reference: string) => string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const env = Object.fromEntries(
    Object.entries(secrets).map(([name, reference]) => [name, secret(reference)]),
  )
  const result = await host.run(command, { env, timeout, signal })
  if (result.exitCode === 0) return
  const said = result.stderr.trim().split('\n').slice(-STDERR_LINES).join(' ').slice(0, 1000)
  const how = result.timedOut
    ? 'it took longer than it may'
    : result.exitCode === null
      ? `it was ended by ${result.signal}`
      : `it ended with ${result.exitCode}`
  throw new UserError(
    `Cannot run "${command.map(shellWord).join(' ')}": ${how}${said === '' ? '' : `: ${said}`}`,
  )
}
